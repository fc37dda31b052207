"""Planning, starting and controlling runs; nothing here draws."""
