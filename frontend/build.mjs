// Bundles each page's script, and writes the licences of everything of others that went in.
import { readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { build } from "esbuild";

const out = resolve(process.argv[2] ?? "dist");

const result = await build({
  entryPoints: ["src/plant.ts", "src/trend.ts"],
  outdir: out,
  bundle: true,
  minify: true,
  format: "esm",
  target: ["es2022"],
  legalComments: "linked",
  metafile: true,
  logLevel: "warning",
});

const packages = new Set();
for (const output of Object.values(result.metafile.outputs))
  for (const [input, { bytesInOutput }] of Object.entries(output.inputs)) {
    const found = /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(input);
    if (found && bytesInOutput > 0) packages.add(found[1]);
  }

const notices = [];
for (const name of [...packages].sort()) {
  const folder = join("node_modules", name);
  const { version, license } = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
  const text = await readFile(join(folder, "LICENSE"), "utf8");
  notices.push(`${name} ${version} (${license})\n\n${text.trim()}\n`);
}
const line = "-".repeat(72);
await writeFile(
  join(out, "NOTICE.txt"),
  `The console's scripts contain parts of these projects.\n\n${notices.map((n) => `${line}\n${n}`).join("\n")}`,
);
