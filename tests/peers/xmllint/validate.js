// Validates documents against a schema. argv: schema, schemas that it imports (comma separated), documents …
// Prints one JSON line per document: {file, valid, errors}.
const fs = require("node:fs");
const path = require("node:path");
const { validateXML } = require("xmllint-wasm");

const file = (name) => ({ fileName: path.basename(name), contents: fs.readFileSync(name, "utf8") });

async function main([schema, imports, ...documents]) {
    for (const name of documents) {
        const result = await validateXML({
            xml: [file(name)],
            schema: [file(schema)],
            preload: imports.split(",").filter(Boolean).map(file),
            initialMemoryPages: 2048,
            maxMemoryPages: 16384,
        });
        const errors = result.errors.slice(0, 20).map((error) => error.message);
        console.log(JSON.stringify({ file: path.basename(name), valid: result.valid, errors }));
    }
}

main(process.argv.slice(2));
