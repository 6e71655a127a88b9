"""What the readings mean: window means, verdicts, episodes, headroom. Pure: no clock, no I/O."""
