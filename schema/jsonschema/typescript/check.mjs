// Compiles every schema with ajv in strict mode, validates the samples and the golden completions,
// generates TypeScript of every schema and compiles program.ts with it. With @asyncapi/parser it
// also parses asyncapi.yaml. `make schema/typescript` installs the packages and runs this file.
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import Ajv from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { compile } from "json-schema-to-typescript";

// schema is the folder of the contract. The working directory has node_modules.
const schema = process.argv[2];
const read = (path) => JSON.parse(readFileSync(join(schema, path), "utf8"));
const list = (path) =>
  readdirSync(join(schema, path))
    .filter((name) => name.endsWith(".json"))
    .sort()
    .map((name) => join(path, name));

const ajv = new Ajv.default({ strict: true, allErrors: true });
addFormats.default(ajv);

const wrong = [];
const check = (what, validate, value) => {
  if (!validate(value)) wrong.push(`${what}: ${ajv.errorsText(validate.errors)}`);
};

const files = ["jsonschema", "jsonschema/records", "jsonschema/completions"].flatMap(list);
const validators = new Map(files.map((file) => [file, ajv.compile(read(file))]));
console.log(`ajv ${files.length} schemas compile in strict mode`);

let documents = 0;
for (const file of list("jsonschema/records/samples")) {
  check(file, validators.get(join("jsonschema/records", basename(file))), read(file));
  documents++;
}
for (const provider of readdirSync(join(schema, "jsonschema/samples"))) {
  for (const file of list(join("jsonschema/samples", provider))) {
    check(file, validators.get(join("jsonschema", `${provider}.${basename(file)}`)), read(file));
    documents++;
  }
}
for (const file of [...list("testdata"), ...list("testdata/former")]) {
  const kind = basename(file).split(".")[0];
  if (kind !== "completion" && kind !== "account") continue;
  check(file, validators.get(`jsonschema/${kind}.v1.json`), read(file));
  documents++;
}
for (const file of list("normal/testdata")) {
  const { normal } = read(file);
  if (!normal) continue;
  check(file, validators.get("jsonschema/normal.v1.json"), normal);
  documents++;
}
console.log(`ajv ${documents} samples, golden completions, states and normalised records are valid`);

mkdirSync("types", { recursive: true });
for (const file of files) {
  // The URN of a schema is no address to fetch, and its title names the type.
  const { $id, ...text } = read(file);
  const name = file.slice("jsonschema/".length, -".json".length).replaceAll("/", ".");
  writeFileSync(join("types", `${name}.ts`), await compile(text, name, { format: false }));
}
copyFileSync(join(schema, "jsonschema/typescript/program.ts"), "program.ts");
execFileSync("node_modules/.bin/tsc", [
  "--strict", "--noEmit", "--skipLibCheck", "--target", "es2022", "--module", "nodenext",
  "program.ts", ...files.map((file) =>
    join("types", file.slice("jsonschema/".length, -".json".length).replaceAll("/", ".") + ".ts")),
], { stdio: "inherit" });
console.log(`tsc ${files.length} files of types and program.ts compile`);

const { Parser, fromFile } = await import("@asyncapi/parser").catch((error) => {
  console.log(`asyncapi.yaml is not checked, because @asyncapi/parser is not installed: ${error.code}`);
  return {};
});
if (Parser) {
  const { diagnostics } = await fromFile(new Parser(), join(schema, "asyncapi.yaml")).parse();
  const errors = diagnostics.filter((d) => d.severity === 0);
  errors.forEach((d) => wrong.push(`asyncapi.yaml ${d.path.join("/")}: ${d.message}`));
  console.log(`asyncapi.yaml has ${errors.length} errors`);
}

wrong.forEach((line) => console.error(line));
process.exit(wrong.length === 0 ? 0 : 1);
