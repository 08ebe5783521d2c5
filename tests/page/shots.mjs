// Pictures of every view for people to look at: node shots.mjs BUILD_FOLDER; into BUILD/shots/.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { build, startDemo, withBrowser } from "./demo.mjs";

const out = join(build, "shots");
mkdirSync(out, { recursive: true });
const link = (page) => page.locator("table.links tbody tr th a, #matrix a").first();

await withBrowser(async (browser) => {
  for (const sites of ["3", "12", "100"]) {
    const demo = await startDemo("--sites", sites);
    for (const [width, scheme] of [360, 1280, 2560].flatMap((w) => [[w, "light"], [w, "dark"]])) {
      const context = await browser.newContext({
        viewport: { width, height: width < 500 ? 800 : 900 },
        colorScheme: scheme,
      });
      const page = await context.newPage();
      const shoot = (name) =>
        page.screenshot({ path: join(out, `${sites}-${width}-${scheme}-${name}.png`), fullPage: width < 2000 });
      await page.goto(demo.url);
      await shoot("overview");
      if (sites !== "100" && width !== 2560) {
        await page.goto(await link(page).evaluate((a) => a.href));
        await shoot("link");
        for (const view of ["waiting", "storage", "sites", "timeline"]) {
          await page.goto(demo.url + view);
          await shoot(view);
        }
      }
      await context.close();
    }
    demo.stop();
  }
});
console.log(`pictures in ${out}`);
