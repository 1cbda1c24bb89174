"""Projects that are made of this template: what they begin with, how they are made and brought up to date."""
