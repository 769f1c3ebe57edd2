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


class WandbServer:
    """history: run id -> the lines that arrived, in their order; runs: run id -> how it was announced."""

    def __init__(self):
        self.history, self.runs = defaultdict(list), {}
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), handler(self))
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, args=(0.05,), daemon=True).start()

    def environment(self):
        return {"WANDB_BASE_URL": self.url, "WANDB_API_KEY": "0" * 40}

    def stop(self):
        self.http.shutdown()
        self.http.server_close()

    def stream(self, run, body):
        lines = body.get("files", {}).get("wandb-history.jsonl", {}).get("content", [])
        self.history[run] += [json.loads(line) for line in lines]

    def answer(self, query, words):
        if "upsertBucket" in query:
            run = words["name"]
            self.runs.setdefault(run, {}).update({key: value for key, value in words.items() if value is not None})
            bucket = {"id": "cnVu", "name": run, "displayName": words.get("displayName") or run, "config": "{}"}
            bucket |= {"description": None, "sweepName": None, "historyLineCount": 0, "project": PROJECT}
            return {"upsertBucket": {"bucket": bucket, "inserted": True}}
        if "RunResumeStatus" in query:
            return {"model": {**PROJECT, "bucket": self.bucket(words["name"])}}
        if "createRunFiles" in query:
            files = [{"name": name, "uploadUrl": f"{self.url}/put/{name}"} for name in words.get("files") or []]
            return {"createRunFiles": {"runID": "cnVu", "uploadHeaders": [], "files": files}}
        if "serverInfo" in query:
            info = {"cliVersionInfo": {"max_cli_version": "9.9.9"}, "latestLocalVersionInfo": None, "features": []}
            return {"serverInfo": {**info, "exposesExplicitRunQueueAckPath": False}, "viewer": VIEWER}
        if "viewer" in query:
            return {"viewer": VIEWER}
        if "bucket(" in query or "model(" in query:
            return {"model": {**PROJECT, "bucket": None}}
        return None

    def bucket(self, run):
        if not (lines := self.history[run]):
            return None
        tail = json.dumps([json.dumps({"_step": lines[-1]["_step"], "_runtime": 1})])
        return {
            "id": "cnVu", "name": run, "displayName": run, "summaryMetrics": "{}", "logLineCount": 0,
            "historyLineCount": len(lines), "eventsLineCount": 0, "historyTail": tail, "eventsTail": "[]",
            "config": "{}", "tags": [], "notes": None, "wandbConfig": json.dumps({"t": 1}),
        }  # fmt: skip


def handler(server):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def reply(self, content):
            text = json.dumps(content).encode()
            self.send_response(200)
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
            self.body()
            self.reply({})

        def do_POST(self):
            body = self.body()
            if found := re.search(r"/files/[^/]+/[^/]+/([^/]+)/file_stream", self.path):
                server.stream(found[1], json.loads(body))
                return self.reply({"exitcode": None, "limits": {}})
            if "graphql" not in self.path:
                return self.reply({})
            content = json.loads(body)
            data = server.answer(content["query"], content.get("variables") or {})
            self.reply({"data": data} if data else {"data": None, "errors": [{"message": "unknown to the stand-in"}]})

    return Handler
