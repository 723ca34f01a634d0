"""From an address to named signals: discovery, proposals to accept, imports of what other products have written."""
