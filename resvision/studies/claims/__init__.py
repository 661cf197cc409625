"""The claims book: every claim of the notes on residual nets, with what decides it. Reaches no torch."""
