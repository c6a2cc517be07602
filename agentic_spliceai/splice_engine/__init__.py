"""The science: genome, base layer, meta-layer, consequence. Imports no agent, database or web library."""
