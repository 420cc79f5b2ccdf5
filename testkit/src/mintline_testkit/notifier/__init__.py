"""The notifier's ports in memory: records with their change streams, and cursors."""
