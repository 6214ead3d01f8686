"""Tensors to tensors: the mathematics as pure functions, float64 inside, testable without a network.

Decompositions   `linalg`, `kernels`, `kl`, `online`
Linear core      `gram`, `coordinates`, `ridge`, `experts`, `mixture`
Recurrences      `scan`
"""
