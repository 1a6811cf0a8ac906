"""One table, one file: ``make`` of the module that has its name. ``suite`` makes the table of any suite."""
