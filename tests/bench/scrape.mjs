// What scraping costs a broker's page: node scrape.mjs BUILD_FOLDER [SITES [SECONDS]], by hand.
//
// A page with made-up stats of 100 sites (10,000 links), new every second, is scraped every second
// for ten minutes. Prints a line a minute and the figures at the end; fails where one is beyond its
// bound: 400,000 bytes, 100 ms for 99 of 100 scrapes, memory in the second half as at its beginning
// (within a hundredth; before, the allocator fills the arenas of the page's threads).
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";

const build = resolve(process.argv[2] ?? "build");
const sites = Number(process.argv[3] ?? 100);
const seconds = Number(process.argv[4] ?? 600);
const half = Math.floor(seconds / 2); // from here on memory must not grow

const demo = spawn(join(build, "tests/page/page_demo"), ["--sites", String(sites)],
  { stdio: ["pipe", "pipe", "inherit"] });
const url = await new Promise((done, fail) => {
  demo.stdout.once("data", (text) => done(String(text).trim()));
  demo.once("exit", (status) => fail(new Error(`page_demo ended with ${status}`)));
});

const residentKb = () =>
  Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${demo.pid}/status`, "utf8"))[1]);
const at = (sorted, part) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))];

const times = [];
const resident = [];
let bytes = 0;
const begin = performance.now();
for (let i = 0; i < seconds; ++i) {
  const due = begin + i * 1000 - performance.now();
  if (due > 0) await new Promise((next) => setTimeout(next, due));
  const asked = performance.now();
  const answer = await fetch(`${url}metrics`);
  const text = await answer.text();
  times.push(performance.now() - asked);
  if (answer.status !== 200) throw new Error(`/metrics answered ${answer.status}`);
  bytes = Math.max(bytes, Buffer.byteLength(text));
  resident.push(residentKb());
  if ((i + 1) % 60 === 0)
    console.log(`${i + 1} s: ${bytes} bytes, last ${times.at(-1).toFixed(1)} ms, ${resident.at(-1)} KiB`);
}
demo.stdin.end();

const sorted = [...times].sort((a, b) => a - b);
const [p50, p99] = [at(sorted, 0.5), at(sorted, 0.99)];
const [first, last] = [resident[half], resident.at(-1)];
console.log(`${sites} sites, ${times.length} scrapes: ${bytes} bytes; p50 ${p50.toFixed(1)} ms, ` +
  `p99 ${p99.toFixed(1)} ms, most ${sorted.at(-1).toFixed(1)} ms`);
console.log(`memory: ${resident[0]} KiB at the first scrape, ${first} KiB after ${half}, ` +
  `${last} KiB at the end, at most ${Math.max(...resident)} KiB`);
const wrong = [];
if (bytes >= 400_000) wrong.push("more than 400,000 bytes");
if (p99 >= 100) wrong.push("99 of 100 scrapes take longer than 100 ms");
if (last > first * 1.01) wrong.push("memory grows");
for (const what of wrong) console.log(`WRONG: ${what}`);
process.exitCode = wrong.length > 0 ? 1 : 0;
