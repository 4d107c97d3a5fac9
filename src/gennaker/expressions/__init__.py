"""Pipeline expressions `${…}`: lexer, parser and evaluation over JSON, with the allowed functions and methods. Pure."""
