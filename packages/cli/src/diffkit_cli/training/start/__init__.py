"""How a run starts: with new weights, from its checkpoint, or from another network; its options and folder. Imports options."""
