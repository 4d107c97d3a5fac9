-- Applications are found by their names in lower case: upper and lower case are the same.

UPDATE executions SET application = lower(application) WHERE application <> lower(application);
UPDATE definitions SET application = lower(application) WHERE application <> lower(application);
