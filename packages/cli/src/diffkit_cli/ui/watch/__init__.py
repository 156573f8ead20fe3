"""What runs logged: curves, previews, configs. Reads run folders only."""
