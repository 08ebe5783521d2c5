// Starts page_demo and a browser for the page's tests; both end with the test.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

// Node's modules live in the build folder, which the tests are told.
export const build = resolve(process.argv[2] ?? "build/tests/page");
const require = createRequire(join(build, "package.json"));
export const { chromium } = require("playwright-core");
export const axeSource = require("axe-core").source;

export const startDemo = (...words) =>
  new Promise((done, fail) => {
    const child = spawn(join(build, "page_demo"), words, { stdio: ["pipe", "pipe", "inherit"] });
    child.stdout.once("data", (text) =>
      done({ url: String(text).trim(), stop: () => child.stdin.end() }),
    );
    child.once("exit", (status) => fail(new Error(`page_demo ended with ${status}`)));
  });

// `use(browser)` with a profile of its own, which is removed.
export const withBrowser = async (use) => {
  const profile = mkdtempSync(join(tmpdir(), "dirsync-page-"));
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync", `--crash-dumps-dir=${profile}`],
  });
  try {
    return await use(browser);
  } finally {
    await browser.close();
    rmSync(profile, { recursive: true, force: true });
  }
};
