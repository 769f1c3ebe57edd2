"""The stand-in for W&B's server, with dashboards and sweeps: it keeps views, and hands an agent its runs."""

import json

import yaml

from tests.helpers.wandb_server import PROJECT, VIEWER, WandbServer


class BoardServer(WandbServer):
    """views: id -> what was last saved under it; inserted: ids in the order in which they were made;
    sweep: the sweep's config; queue: parameters of the runs that an agent is still to start; hopeless: those runs that
    the agent is told to stop once they have logged something."""

    def __init__(self):
        self.views, self.inserted, self.sweep, self.queue, self.hopeless = {}, [], None, [], []
        super().__init__()

    def answer(self, query, words):
        for mine in (self.of_views, self.of_sweeps):
            if (data := mine(query, words)) is not None:
                return data
        data = super().answer(query, words)
        if data is None and "viewer" in query:  # W&B's library asks for it by several names
            return {"viewer": VIEWER}
        return data

    def of_views(self, query, words):
        if "upsertView" in query:
            return {"upsertView": self.save_view(words)}
        if "ProjectViews" in query:
            nodes = [view for view in self.views.values() if view["type"] == words.get("viewType", "runs")]
            page = {"endCursor": None, "hasNextPage": False}
            return {"project": {"allViews": {"edges": [{"node": n, "cursor": ""} for n in nodes], "pageInfo": page}}}
        if "ProjectInternalId" in query:
            return {"project": {"id": "cA==", "internalId": "42"}}
        if "models(" in query:
            project = {**PROJECT, "__typename": "Project", "entityName": "me", "createdAt": "2026-01-01T00:00:00"}
            project |= {"isBenchmark": False, "user": None}
            page = {"__typename": "PageInfo", "endCursor": None, "hasNextPage": False}
            return {"models": {"pageInfo": page, "edges": [{"node": project}]}}
        return None

    def save_view(self, words):
        """As W&B does: an id says which view is written over; without one there is a new view."""
        new = not words.get("id")
        view = {**words, "id": words.get("id") or f"dmlldzo{len(self.views)}"}
        assert new or view["id"] in self.views
        self.views[view["id"]] = view
        self.inserted += [view["id"]] if new else []
        view["project"] = {"id": "cA==", "name": words["projectName"], "entityName": words["entityName"]}
        return {"view": {**view, "updatedAt": "2026-01-01T00:00:00"}, "inserted": new}

    def of_sweeps(self, query, words):
        if "upsertSweep" in query:
            self.sweep = yaml.safe_load(words["config"])
            return {"upsertSweep": {"sweep": {"name": "s1", "project": PROJECT}, "configValidationWarnings": []}}
        if "SweepWithRuns" in query:
            sweep = {"id": "c3c=", "name": "s1", "config": yaml.safe_dump(self.sweep), "runs": {"edges": []}}
            return {"project": {"sweep": sweep}}
        if "createAgent" in query:
            return {"createAgent": {"agent": {"id": "YWc="}}}
        if "agentHeartbeat" in query:
            return {"agentHeartbeat": {"agent": {"id": "YWc="}, "commands": json.dumps(self.commands(words))}}
        return None

    def commands(self, words):
        """The next run once the one before has ended, as long as there is one; then the end."""
        if running := json.loads(words["runState"]):
            stop = [run for run in running if run in self.hopeless and self.history[run]]
            return [{"id": "1", "type": "stop", "run_id": run} for run in stop]
        if not self.queue:
            return [{"id": "1", "type": "exit"}]
        args = {key: {"value": value} for key, value in self.queue.pop(0).items()}
        command = {"id": "1", "type": "run", "run_id": f"agent{len(self.queue)}", "args": args}
        return [command | {"program": self.sweep["program"]}]
