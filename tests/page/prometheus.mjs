// Metrics, alerts and dashboard against a real Prometheus: node prometheus.mjs BUILD_FOLDER.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const build = resolve(process.argv[2] ?? "build/tests/page");
const deploy = join(dirname(fileURLToPath(import.meta.url)), "../../deploy");
const read = (name) => readFileSync(join(deploy, name), "utf8");

const promtool = (words, options = {}) => {
  const run = spawnSync("promtool", words, { encoding: "utf8", ...options });
  assert.equal(run.status, 0, `promtool ${words.join(" ")}: ${run.stdout}${run.stderr}`);
};

const freePort = () =>
  new Promise((done) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => done(port));
    });
  });

const startDemo = () =>
  new Promise((done, fail) => {
    const child = spawn(join(build, "page_demo"), ["--sites", "3"], { stdio: ["pipe", "pipe", "inherit"] });
    child.stdout.once("data", (text) => done({ url: String(text).trim(), stop: () => child.stdin.end() }));
    child.once("exit", (status) => fail(new Error(`page_demo ended with ${status}`)));
  });

// Polls until `ask` gives something.
const until = async (what, ask) => {
  const end = Date.now() + 60_000;
  while (Date.now() < end) {
    const answer = await ask().catch(() => null);
    if (answer) return answer;
    await new Promise((next) => setTimeout(next, 100));
  }
  throw new Error(`it did not come: ${what}`);
};

const files = (metrics) => {
  promtool(["check", "metrics"], { input: metrics });
  promtool(["check", "rules", "alerts.yml"], { cwd: join(deploy, "prometheus") });
  promtool(["test", "rules", "alerts_test.yml"], { cwd: join(deploy, "prometheus") });
  promtool(["check", "config", "scrape.yml"], { cwd: join(deploy, "prometheus") });
  const alerts = [...read("prometheus/alerts.yml").matchAll(/- alert: (\w+)/g)].map((m) => m[1]);
  const tests = read("prometheus/alerts_test.yml");
  for (const alert of alerts) {
    const fires = new RegExp(`alertname: ${alert}\\n +exp_alerts:`);
    assert.match(tests, fires, `${alert} has no test in which it fires`);
  }
  const page = read("README.md").toLowerCase();
  for (const [, anchor] of read("prometheus/alerts.yml").matchAll(/README\.md#(\S+)/g)) {
    const heading = new RegExp(`^#+ ${anchor.replaceAll("-", "[^a-z\\n]+")}$`, "m");
    assert.match(page, heading, `no runbook ${anchor}`);
  }
  const known = new Set([...metrics.matchAll(/^# TYPE (\S+)/gm)].map((m) => m[1]));
  for (const text of [read("prometheus/alerts.yml"), read("grafana/dashboard.json")])
    for (const [name] of text.matchAll(/dirsync_broker_[a-z_]+/g))
      assert.ok(known.has(name) || known.has(name.replace(/_(bucket|sum|count)$/, "")), name);
  console.log(`${known.size} metric families, ${alerts.length} alerts, each with its test and its runbook`);
};

// Somebody may take the port before Prometheus does: then another.
const startPrometheus = async (folder, target, tries = 3) => {
  const port = await freePort();
  const config = join(folder, "prometheus.yml");
  writeFileSync(config, read("prometheus/scrape.yml")
    .replaceAll("15s", "1s").replace("127.0.0.1:7680", new URL(target).host)
    .replace("- alerts.yml", `- ${join(deploy, "prometheus/alerts.yml")}`));
  const child = spawn("prometheus", [`--config.file=${config}`, `--storage.tsdb.path=${join(folder, "data")}`,
    `--web.listen-address=127.0.0.1:${port}`, "--log.level=error"], { stdio: "ignore" });
  const url = `http://127.0.0.1:${port}`;
  await until("Prometheus is ready, or has ended", async () =>
    child.exitCode !== null || (await fetch(`${url}/-/ready`)).ok);
  if (child.exitCode !== null && tries > 1) return startPrometheus(folder, target, tries - 1);
  return { child, url };
};

const query = async (prometheus, expression) => {
  const answer = await fetch(`${prometheus.url}/api/v1/query?query=${encodeURIComponent(expression)}`);
  return answer.json();
};

const dashboard = async (prometheus) => {
  const { panels } = JSON.parse(read("grafana/dashboard.json"));
  let queries = 0;
  let answered = 0;
  for (const { title, targets } of panels)
    for (const { expr } of targets) {
      const answer = await query(prometheus, expr);
      assert.equal(answer.status, "success", `${title}: ${expr}: ${answer.error}`);
      queries += 1;
      if (answer.data.result.length > 0) answered += 1;
    }
  console.log(`dashboard: ${queries} queries run, ${answered} with data`);
  assert.ok(answered >= queries / 2);
};

const folder = mkdtempSync(join(tmpdir(), "dirsync-prometheus-"));
const demo = await startDemo();
let prometheus;
try {
  files(await (await fetch(`${demo.url}metrics`)).text());
  prometheus = await startPrometheus(folder, demo.url);
  await until("two scrapes", async () => {
    const answer = await query(prometheus, "count_over_time(up[1m]) >= 2 and up == 1");
    return answer.data.result.length > 0;
  });
  await dashboard(prometheus);
  await until("a pending alert for the held deletes", async () => {
    const answer = await (await fetch(`${prometheus.url}/api/v1/alerts`)).json();
    return answer.data.alerts.some((alert) => alert.labels.alertname === "DirsyncDeletesHeld");
  });
  console.log("prometheus: scraped, rules loaded, DirsyncDeletesHeld pending");
} finally {
  demo.stop();
  if (prometheus) {
    const ended = new Promise((done) => prometheus.child.once("exit", done));
    prometheus.child.kill("SIGTERM");
    await ended;
  }
  rmSync(folder, { recursive: true, force: true });
}
