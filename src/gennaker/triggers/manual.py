"""Manual starts: what must be right before a person's request becomes an execution."""

from gennaker.model.codec import Json, JsonObject
from gennaker.model.foreign import flag, mapping, mappings
from gennaker.model.problems import Problem


def problems(pipeline: JsonObject, trigger: JsonObject) -> list[Problem]:
    """Everything that speaks against starting this pipeline with this trigger."""
    found = []
    if flag(pipeline.get("disabled")):
        found.append(
            Problem(
                code="pipeline.disabled",
                message=f"The pipeline {pipeline.get('name')!r} is disabled.",
                remedy="Enable it first.",
            )
        )
    supplied = mapping(trigger.get("parameters"))
    for parameter in mappings(pipeline.get("parameterConfig")):
        found += _parameter_problems(parameter, supplied)
    return found


def _parameter_problems(parameter: JsonObject, supplied: dict[str, Json]) -> list[Problem]:
    name = str(parameter.get("name"))
    value = supplied.get(name, parameter.get("default"))
    if flag(parameter.get("required")) and value in (None, ""):
        return [
            Problem(
                code="parameter.required",
                message=f"The parameter {name!r} is required.",
                remedy="Give it a value.",
                pointer=f"/parameters/{name}",
            )
        ]
    options = [option.get("value") for option in mappings(parameter.get("options"))]
    if flag(parameter.get("hasOptions")) and name in supplied and options and value not in options:
        return [
            Problem(
                code="parameter.not_an_option",
                message=f"{value!r} is not an option of the parameter {name!r}.",
                remedy=f"Use one of {', '.join(map(str, options))}.",
                pointer=f"/parameters/{name}",
            )
        ]
    return []
