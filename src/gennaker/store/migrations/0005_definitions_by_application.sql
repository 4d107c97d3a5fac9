-- The definitions of one application are listed often, and of many applications most are others'.

CREATE INDEX definitions_of_application ON definitions (kind, application, id) WHERE is_newest = 1;
