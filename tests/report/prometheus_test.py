# SPDX-License-Identifier: MIT
"""Has promtool check, and a Prometheus server scrape, what report_sample (argv[1]) prints.

Skipped where they are not installed.
"""

import http.server
import json
import math
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request

SKIPPED = 77
PATIENCE = 60  # seconds for anything that the server is waited for

# A few of the values, as they are in tests/report/fake_sources.hpp.
QUERIES = {
    'fastalloc_pool_allocations_total{pool="orders"}': "50800",
    'fastalloc_pool_failures_total{pool="orders", reason="at_cap"}': "50012",
    'sum(fastalloc_pool_failures_total{pool="orders"})': "200050",
    'fastalloc_class_slots{pool="orders", slot_size="64", alignment="64"}': "20407",
    'fastalloc_pool_fragmentation_ratio': "0.125",
    'fastalloc_object_made_total{pool="users"}': "201",
    'fastalloc_request_largest_bytes{pool="all"}': "1025",
    'fastalloc_page_mapped_bytes{pool="pages"}': "9437184",
    'fastalloc_page_numa_node': "1",
    'fastalloc_latency_seconds{operation="allocate",quantile="0.99",pool="orders"}': "0.000001023",
    'fastalloc_latency_seconds{operation="allocate",quantile="0.99",pool="idle"}': "NaN",
    'fastalloc_latency_seconds_count{operation="allocate", pool="orders"}': "1000",
    'round(fastalloc_pool_slots_in_use{pool="orders"} / fastalloc_pool_slots, 0.001)': "0.994",
}
AWKWARD_NAME = '"a" \\b\\n\nc \u00fc\t{} \ufffd'

# No proxy stands between us and the loopback interface.
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def check(condition, what):
    if not condition:
        sys.exit(f"FAILED: {what}")


def samples(body):
    """Returns {(name, labels): value} of the text format."""
    found = {}
    for line in body.split("\n"):
        if line and not line.startswith("#"):
            name, labels, value = re.fullmatch(r"(\w+)\{(.*)\} (\S+)", line).groups()
            pairs = re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', labels)
            unescaped = {key: re.sub(r"\\(.)", lambda m: {"n": "\n"}.get(m[1], m[1]), text)
                         for key, text in pairs}
            found[name, frozenset(unescaped.items())] = float(value)
    return found


def types(body):
    return dict(re.findall(r"^# TYPE (\w+) (\w+)$", body, re.MULTILINE))


def serve(content_type, body):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def wait_for(what, poll, process, log):
    """Returns what `poll` does, once that is true."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        result = poll()
        if result:
            return result
        if process.poll() is not None:
            break
        time.sleep(0.05)
    with open(log, encoding="utf-8") as file:
        sys.exit(f"FAILED: {what} did not come\n{file.read()}")


def address_in(log):
    """The server chooses a free port and tells us which."""
    with open(log, encoding="utf-8") as file:
        found = re.search(r'msg="Listening on" address=(\S+)', file.read())
    return found and found[1]


def get(address, path, **arguments):
    url = f"http://{address}{path}?{urllib.parse.urlencode(arguments)}"
    try:
        with opener.open(url, timeout=PATIENCE) as reply:
            return json.load(reply)["data"]
    except OSError:  # it is not ready yet
        return None


def query(address, expression, **time):
    data = get(address, "/api/v1/query", query=expression, **time)
    return data["result"] if data else []


def check_scraped(address, body, process, log):
    up = wait_for("the first scrape", lambda: query(address, 'up{job="fastalloc"} == 1'), process,
                  log)
    # Whatever becomes of later scrapes, this is what there was then.
    then = {"time": up[0]["value"][0]}

    scraped = {}
    for series in query(address, '{job="fastalloc", pool!=""}', **then):
        labels = series["metric"]
        name = labels.pop("__name__")
        del labels["job"], labels["instance"]
        scraped[name, frozenset(labels.items())] = float(series["value"][1])
    sent = samples(body)
    check(len(sent) > 100, "there must be samples to compare")
    check(scraped.keys() == sent.keys(),
          f"the series must be the same, these differ: {scraped.keys() ^ sent.keys()}")
    for series, value in sent.items():
        is_same = scraped[series] == value or math.isnan(scraped[series]) and math.isnan(value)
        check(is_same, f"{series} must be {value}, not {scraped[series]}")
    pools = {dict(labels)["pool"] for _, labels in scraped}
    check(pools == {"orders", "users", "all", "pages", "idle", AWKWARD_NAME}, f"the pools are {pools}")

    for expression, expected in QUERIES.items():
        result = query(address, expression, **then)
        values = [series["value"][1] for series in result]
        check(values == [expected], f"{expression} must be {expected}, not {values}")

    metadata = get(address, "/api/v1/metadata")
    told = {name: entries[0]["type"] for name, entries in metadata.items()
            if name.startswith("fastalloc_")}
    check(told == types(body), f"the types must be {types(body)}, not {told}")
    check(all(len(metadata[name]) == 1 and metadata[name][0]["help"] for name in told),
          "each family must have one help text")


def run_server(content_type, body):
    endpoint = serve(content_type, body.encode())
    with tempfile.TemporaryDirectory() as directory:
        config, log = f"{directory}/prometheus.yml", f"{directory}/log"
        with open(config, "w", encoding="utf-8") as file:
            file.write("scrape_configs:\n"
                       "  - job_name: fastalloc\n"
                       "    scrape_interval: 1s\n"
                       "    scrape_timeout: 1s\n"
                       "    static_configs:\n"
                       f"      - targets: ['127.0.0.1:{endpoint.server_port}']\n")
        with open(log, "w", encoding="utf-8") as output:
            process = subprocess.Popen(
                ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={directory}/data",
                 "--web.listen-address=127.0.0.1:0"],
                stdout=output, stderr=subprocess.STDOUT, cwd=directory)
        try:
            address = wait_for("the server", lambda: address_in(log), process, log)
            check_scraped(address, body, process, log)
        finally:
            # Nothing that it has is needed any more.
            process.kill()
            process.wait()
            endpoint.shutdown()


def main():
    for tool in ("promtool", "prometheus"):
        if shutil.which(tool) is None:
            print(f"skipped: {tool} is not installed")
            sys.exit(SKIPPED)
    output = subprocess.run([sys.argv[1]], capture_output=True, check=True, timeout=PATIENCE)
    content_type, body = output.stdout.decode().split("\n", 1)
    result = subprocess.run(["promtool", "check", "metrics"], input=body, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=PATIENCE)
    check(result.returncode == 0 and result.stdout == "",
          f"promtool must have nothing to say, not:\n{result.stdout}")
    run_server(content_type, body)


if __name__ == "__main__":
    main()
