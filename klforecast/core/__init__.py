"""Windows to a linear map: the linear core, from the Gram matrix of all windows to the solved `LinearCore`."""
