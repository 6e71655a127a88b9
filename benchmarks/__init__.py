"""What is fast, and by how much: ratios measured side by side (`make bench`)."""
