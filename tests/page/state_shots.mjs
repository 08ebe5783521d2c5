// Pictures of one page as it is now: node state_shots.mjs BUILD_FOLDER URL NAME; of the overview and
// of the worst link, into BUILD/shots/states/. Called by e2e/states.sh in each state.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { build, withBrowser } from "./demo.mjs";

const [, , , url, name] = process.argv;
const out = join(build, "shots", "states");
mkdirSync(out, { recursive: true });

await withBrowser(async (browser) => {
  for (const colorScheme of ["light", "dark"]) {
    const context = await browser.newContext({ colorScheme });
    const page = await context.newPage();
    await page.goto(url);
    // Of the site that the test is about; with one stream there is no worse one.
    const link = await page.locator('main a[href*="reader=Site2"]').first().evaluate((a) => a.href);
    for (const [view, address] of [["overview", url], ["link", link]]) {
      await page.goto(address);
      for (const width of [360, 1280, 2560]) {
        await page.setViewportSize({ width, height: width < 500 ? 800 : 900 });
        const path = join(out, `${name}-${view}-${width}-${colorScheme}.png`);
        await page.screenshot({ path, fullPage: width < 2000 });
      }
    }
    await context.close();
  }
});
