"""The alert rules of deploy/prometheus in a real Prometheus that scrapes the daemons while things break.

Nobody waits fifteen minutes here: a minute of the rules is a second (`for` and ranges; thresholds stay), and the daemons are scraped
twice a second.
"""
import json
import os
import re
import shutil
import time
import urllib.parse
import urllib.request

from harness import ROOT
from servers import Process, free_ports, wait_port

RULES = os.path.join(ROOT, "deploy/prometheus/lifecycled.rules.yml")


def hurried(text):
    text = re.sub(r"\[(\d+)m\]", r"[\1s]", re.sub(r"\bfor: (\d+)m", r"for: \1s", text))
    return re.sub(r"\[(\d+)h\]", r"[\1m]", text)


class Alarms(Process):
    def __init__(self, work):
        super().__init__(os.path.join(work, "prometheus"))
        self.targets, self.began = [], time.time()
        (self.port,) = free_ports(1)

    def _write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path + ".new", "w") as f:
            f.write(text)
        os.rename(path + ".new", path)
        return path

    def start(self):
        if not shutil.which("prometheus"):
            raise RuntimeError("prometheus is not installed")
        os.makedirs(self.folder, exist_ok=True)
        with open(RULES) as f:
            rules = self._write("rules.yml", hurried(f.read()))
        targets = self._write("targets.json", "[]")
        config = self._write("prometheus.yml", json.dumps({
            "global": {"scrape_interval": "500ms", "scrape_timeout": "500ms", "evaluation_interval": "500ms"},
            "rule_files": [rules],
            "scrape_configs": [{"job_name": "lifecycled",
                                "file_sd_configs": [{"files": [targets], "refresh_interval": "1s"}]}]}))
        self.spawn(["prometheus", f"--config.file={config}", f"--storage.tsdb.path={self.folder}/data",
                    f"--web.listen-address=127.0.0.1:{self.port}", "--log.level=warn"])
        wait_port(self.port, 30, self.process, self.log)
        return self

    def watch(self, port):
        self.targets.append(f"127.0.0.1:{port}")
        self._write("targets.json", json.dumps([{"targets": self.targets}]))

    def forget(self, ports):
        self.targets = [t for t in self.targets if int(t.split(":")[1]) not in ports]
        self._write("targets.json", json.dumps([{"targets": self.targets}]))

    def fired(self):
        """Names of the alerts that have fired since the start."""
        query = urllib.parse.urlencode({"match[]": 'ALERTS{alertstate="firing"}', "start": self.began, "end": time.time()})
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v1/series?{query}", timeout=10) as answer:
            return {series["alertname"] for series in json.load(answer)["data"]}
