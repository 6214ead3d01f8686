"""State-space networks whose state lives in the frequency domain."""
