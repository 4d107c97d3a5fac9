"""Upsert project, and delete: names are unique, the given project replaces the stored one."""

from tests.jobs import Installation


def test_a_project_is_created_replaced_and_deleted() -> None:
    installed = Installation()
    made = installed.done("upsertProject", project={"name": "Store", "email": "a@b.c", "config": {"applications": []}})
    project_id = made.outputs["project.id"]

    installed.done("upsertProject", project={"id": project_id, "name": "Store", "email": "d@e.f"})

    found = installed.get("project", project_id)
    assert found is not None
    assert (found["email"], "config" in found, found["lastModifiedBy"]) == ("d@e.f", False, "tester")
    assert int(str(found["createTs"])) < int(str(found["updateTs"]))
    installed.done("deleteProject", project=found)
    assert installed.list("project") == ()


def test_a_project_can_be_deleted_by_name_and_again() -> None:
    installed = Installation()
    installed.done("upsertProject", project={"name": "Store"})

    for _ in range(2):
        installed.done("deleteProject", project={"name": "store"})

    assert installed.list("project") == ()


def test_a_name_is_given_once_and_must_be_one() -> None:
    installed = Installation()
    installed.done("upsertProject", project={"name": "Store"})

    assert "A Project named store already exists" in installed.refused("upsertProject", project={"name": "store"})
    assert "The project has no name" in installed.refused("upsertProject", project={"email": "x"})


def test_a_crash_makes_no_second_project() -> None:
    installed = Installation()

    installed.job(
        "upsertProject", project={"name": "Store"}, kill_at=("effect.after:RunTask:upsertProject.upsertProject",)
    )

    assert len(installed.list("project")) == 1
