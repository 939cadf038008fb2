"""Runs that a second try saves, and those that lose sight of their container."""

from support import network
from support.aws import wait_for


def test_unreachable_aws_is_tried_again(scheduler, project, lab, slack):
    """Exit code 69: the first try finds nobody at Glue's address, the next one does, and the run
    succeeds.
    """
    port = network.free_port()
    project.environment["AWS_ENDPOINT_URL_GLUE"] = f"http://127.0.0.1:{port}"
    process, output = scheduler.start(project.settings(retries=2, retry_delay_seconds=3))
    wait_for(lambda: lab.events("stopped", exit_code=69) and project.tasks(), "the first try's end")
    network.forward(port, lab.endpoint)
    process.wait(120)
    text = output.read_text()
    assert scheduler.state()[0] == "success", text
    first, *later = project.tasks()
    assert later, text
    assert "exit code 69: AWS could not be reached" in text
    assert lab.events("stopped", task=first["task"], exit_code=69)
    # Not a word of what mended itself; one of the success.
    (post,) = slack.posts
    assert "succeeded" in post["text"]


def test_ecs_out_of_sight(scheduler, project, lab):
    """ECS does not answer for a while: the next try finds the container and waits for it, and no
    second one is started.
    """
    gate = network.Gate(lab.endpoint)
    scheduler.environment["AWS_ENDPOINT_URL_ECS"] = gate.url
    project.script(("run", "ready", ""), ("run", "wait-for", "go"))
    process, output = scheduler.start(project.settings(retries=1, retry_delay_seconds=2))
    wait_for((project.shared / "ready-run").exists, "dbt's start")
    gate.denied.add("DescribeTasks")
    wait_for(lambda: scheduler.state()[0] == "up_for_retry", "the first try's end")
    gate.denied.clear()
    wait_for(lambda: "Reattaching previously launched task" in output.read_text(), "the second try")
    (project.shared / "go").touch()
    process.wait(60)
    assert scheduler.state() == ("success", 2), output.read_text()
    (task,) = project.tasks()
    assert not lab.events("stop_task", task=task["task"])
    assert scheduler.xcom()["status"] == "success"
    # The log of the container was read after the reattachment, too.
    assert "run: success" in output.read_text().partition("Reattaching")[2]


def test_ecs_out_of_sight_for_good(scheduler, project, lab):
    """When no try is left, nobody would look after the container: it is stopped."""
    gate = network.Gate(lab.endpoint)
    scheduler.environment["AWS_ENDPOINT_URL_ECS"] = gate.url
    ready = project.hang()
    process, output = scheduler.start(project.settings(retries=0))
    wait_for(ready.exists, "dbt's start")
    gate.denied.add("DescribeTasks")
    process.wait(60)
    assert scheduler.state() == ("failed", 1), output.read_text()
    assert "not authorized to perform: DescribeTasks" in output.read_text()
    (task,) = project.tasks()
    wait_for(lambda: lab.events("stopped", task=task["task"], exit_code=143), "the container's end")
