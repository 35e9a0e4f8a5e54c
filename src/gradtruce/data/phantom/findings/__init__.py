"""How each kind of finding changes the shape of a chest, and what it adds to a film."""
