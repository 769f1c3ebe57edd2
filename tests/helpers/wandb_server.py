"""A stand-in for W&B's server on loopback: it answers what runs and `wandb sync` ask, and remembers it."""

import gzip
import json
import re
import threading
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ME = {"id": "u", "entity": "me", "username": "me", "email": "me@example.org", "flags": "{}", "admin": False}
VIEWER = {**ME, "teams": {"edges": []}, "apiKeys": {"edges": []}}
PROJECT = {"id": "cA==", "name": "colorize", "entity": {"id": "e", "name": "me"}}
KEY = "0" * 40


class WandbServer:
    """history    run id -> the lines that arrived, in their order
    summary, config    run id -> name -> value, as they stand
    runs       run id -> how it was announced
    files      run id -> name -> bytes of what was uploaded
    artifacts  in their order: run, name, type, aliases, metadata, client (its id in summaries), committed,
               files (name -> bytes)
    used       pairs of a run and the id of an artifact that it began from
    delete     forget a run, as its owner may: the id is refused from then on
    instead    where it holds something, the first is the answer to everything
    """

    def __init__(self, port=0):
        self.history, self.runs, self.deleted = defaultdict(list), {}, set()
        self.summary, self.config, self.files = defaultdict(dict), defaultdict(dict), defaultdict(dict)
        self.artifacts, self.used, self.stored, self.instead = [], [], {}, []
        self.http = Server(("127.0.0.1", port), handler(self))
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, args=(0.05,), daemon=True).start()

    def environment(self):
        return {"WANDB_BASE_URL": self.url, "WANDB_API_KEY": KEY}

    def stop(self):
        self.http.shutdown()
        self.http.server_close()
        self.http.hang_up()

    def delete(self, run):
        self.deleted.add(run)

    def stream(self, run, body):
        sent = body.get("files", {})
        self.history[run] += map(json.loads, sent.get("wandb-history.jsonl", {}).get("content", []))
        for text in sent.get("wandb-summary.json", {}).get("content", []):
            self.summary[run] = json.loads(text)

    def keep(self, path, content):
        kind, *rest = path.strip("/").split("/")
        if kind == "run":
            run, *name = rest
            self.files[run]["/".join(name)] = content
        if kind == "artifact":
            self.stored["/".join(rest)] = content

    def answer(self, query, words):
        if (run := words.get("name")) in self.deleted:
            raise RefusedError(409, f"run {run} was previously created and deleted; try a new run name")
        named = re.search(r"\b(mutation|query) (\w+)", query)
        asked = getattr(self, f"on_{named[2]}", None) if named else None
        return asked(words) if asked else None

    def on_UpsertBucket(self, words):  # noqa: N802
        run = words["name"]
        self.runs.setdefault(run, {}).update({key: value for key, value in words.items() if value is not None})
        kept = json.loads(words.get("config") or "{}")
        self.config[run] |= {key: value["value"] for key, value in kept.items()}
        bucket = {"id": "cnVu", "name": run, "displayName": words.get("displayName") or run, "config": "{}"}
        bucket |= {"description": None, "sweepName": None, "historyLineCount": 0, "project": PROJECT}
        return {"upsertBucket": {"bucket": bucket, "inserted": True}}

    def on_RunResumeStatus(self, words):  # noqa: N802
        run = words["name"]
        if not (lines := self.history[run]):
            return {"model": {**PROJECT, "bucket": None}}
        tail = json.dumps([json.dumps({"_step": lines[-1]["_step"], "_runtime": 1})])
        config = json.dumps({key: {"value": value} for key, value in self.config[run].items()})
        bucket = {
            "id": "cnVu", "name": run, "displayName": run, "summaryMetrics": json.dumps(self.summary[run]),
            "logLineCount": 0, "historyLineCount": len(lines), "eventsLineCount": 0, "historyTail": tail,
            "eventsTail": "[]", "config": config, "tags": [], "notes": None, "wandbConfig": json.dumps({"t": 1}),
        }  # fmt: skip
        return {"model": {**PROJECT, "bucket": bucket}}

    def on_CreateRunFiles(self, words):  # noqa: N802
        run, names = words["run"], words.get("files") or []
        files = [{"name": name, "uploadUrl": f"{self.url}/run/{run}/{name}"} for name in names]
        return {"createRunFiles": {"runID": "cnVu", "uploadHeaders": [], "files": files}}

    def on_ServerInfo(self, _):  # noqa: N802
        info = {"cliVersionInfo": {"max_cli_version": "9.9.9"}, "latestLocalVersionInfo": None, "features": []}
        return {"serverInfo": {**info, "exposesExplicitRunQueueAckPath": False}, "viewer": VIEWER}

    on_ServerFeaturesQuery = on_ServerInfo  # noqa: N815

    def on_Viewer(self, _):  # noqa: N802
        return {"viewer": VIEWER}

    on_GetDefaultEntity = on_Viewer  # noqa: N815

    def on_ArtifactType(self, words):  # noqa: N802
        kept = [each for each in self.artifacts if each["name"] == words["name"].split(":")[0]]
        return {"project": {"artifact": {"artifactType": {"name": kept[-1]["type"]}} if kept else None}}

    def on_ArtifactMembershipByName(self, words):  # noqa: N802
        name, alias = words["name"].split(":")
        kept = [each for each in self.artifacts if each["name"] == name and alias in each["aliases"]]
        return {"project": {"artifactCollectionMembership": membership(kept[-1]) if kept else None}}

    def on_UseArtifact(self, words):  # noqa: N802
        self.used.append((words["runName"], words["artifactID"]))
        return {"useArtifact": {"artifact": {"id": words["artifactID"]}}}

    def on_CreateArtifact(self, words):  # noqa: N802
        said = words["input"]
        artifact = {
            "id": f"artifact-{len(self.artifacts)}", "run": said["runName"], "name": said["artifactCollectionName"],
            "type": said["artifactTypeName"], "aliases": [each["alias"] for each in said["aliases"] or []],
            "metadata": json.loads(said["metadata"] or "{}"), "client": said.get("clientID"), "committed": False,
        }  # fmt: skip
        self.artifacts.append(artifact)
        made = {"id": artifact["id"], "state": "PENDING", "artifactSequence": {"latestArtifact": None}}
        return {"createArtifact": {"artifact": made}}

    def on_CreateArtifactManifest(self, words):  # noqa: N802
        return {"createArtifactManifest": {"artifactManifest": self.manifest(words["artifactID"])}}

    def on_UpdateArtifactManifest(self, words):  # noqa: N802
        return {"updateArtifactManifest": {"artifactManifest": self.manifest(words["artifactManifestID"])}}

    def manifest(self, artifact):
        place = {"id": "file", "uploadUrl": f"{self.url}/artifact/{artifact}/manifest", "uploadHeaders": []}
        return {"id": artifact, "file": place}

    def on_CreateArtifactFiles(self, words):  # noqa: N802
        nodes = []
        for each in words["input"]["artifactFiles"]:
            place = f"{each['artifactID']}/file/{each['name']}"
            node = {"storagePath": place, "uploadUrl": f"{self.url}/artifact/{place}", "uploadHeaders": []}
            nodes.append({**node, "uploadMultipartUrls": None, "artifact": {"id": each["artifactID"]}})
        return {"createArtifactFiles": {"files": {"edges": [{"node": node} for node in nodes]}}}

    def on_CommitArtifact(self, words):  # noqa: N802
        (artifact,) = (each for each in self.artifacts if each["id"] == words["artifactID"])
        place = f"{artifact['id']}/file/"
        artifact["files"] = {k.removeprefix(place): v for k, v in self.stored.items() if k.startswith(place)}
        artifact["committed"] = True
        return {"commitArtifact": {"artifact": {"id": artifact["id"], "digest": "0"}}}


def membership(artifact):
    """What W&B tells of a version that is asked for by its name."""
    home = {"name": artifact["name"], "project": {"internalId": "1", **PROJECT, "entity": {"name": "me"}}}
    known = {
        "__typename": "Artifact", "id": artifact["id"], "versionIndex": 0, "artifactType": {"name": artifact["type"]},
        "artifactSequence": {"__typename": "ArtifactSequence", **home}, "description": None, "metadata": "{}",
        "ttlDurationSeconds": -1, "ttlIsInherited": False, "tags": [], "historyStep": None, "state": "COMMITTED",
        "size": 1, "digest": "0", "commitHash": "0", "fileCount": 1, "createdAt": "2026-01-01T00:00:00Z",
        "updatedAt": None, "aliases": [],
    }  # fmt: skip
    collection = {"__typename": "ArtifactSequence", **home}
    return {
        "__typename": "ArtifactCollectionMembership", "id": "m", "versionIndex": 0, "createdAt": "2026-01-01T00:00:00Z",
        "aliases": [], "artifactCollection": collection, "artifact": known,
    }  # fmt: skip


class RefusedError(Exception):
    """An answer of W&B's with a status and a sentence."""


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, *arguments):
        self.connections = set()
        super().__init__(*arguments)

    def process_request(self, request, address):
        self.connections.add(request)
        super().process_request(request, address)

    def hang_up(self):
        """End the connections that clients keep open."""
        for request in self.connections:
            request.close()

    def handle_error(self, *_):
        """A client that hangs up is none of a test's business."""


def handler(server):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def reply(self, content, status=200):
            text = json.dumps(server.instead[0] if server.instead else content).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def body(self):
            raw = self.rfile.read(int(self.headers.get("content-length") or 0))
            return gzip.decompress(raw) if self.headers.get("content-encoding") == "gzip" else raw

        def do_GET(self):
            self.reply({})

        def do_PUT(self):
            server.keep(self.path, self.body())
            self.reply({})

        def do_POST(self):
            body = self.body()
            if found := re.search(r"/files/[^/]+/[^/]+/([^/]+)/file_stream", self.path):
                if found[1] in server.deleted:
                    return self.reply({"error": "run not found"}, 404)
                server.stream(found[1], json.loads(body))
                return self.reply({"exitcode": None, "limits": {}})
            if "graphql" not in self.path:
                return self.reply({})
            content = json.loads(body)
            try:
                data = server.answer(content["query"], content.get("variables") or {})
            except RefusedError as error:
                status, sentence = error.args
                return self.reply({"data": None, "errors": [{"message": sentence}]}, status)
            self.reply({"data": data} if data else {"data": None, "errors": [{"message": "unknown to the stand-in"}]})

    return Handler
