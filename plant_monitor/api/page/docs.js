// Draws /api/v1/openapi.json. Text is only ever set as text, so nothing in it can become markup.
"use strict";

function element(name, text, attributes = {}) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

function resolve(document_, schema) {
  if (!schema || !schema.$ref) return schema || {};
  return schema.$ref.slice(2).split("/").reduce((at, key) => at[key], document_);
}

// A schema as one line: "string", "number | null", "list of DayView".
function shape(schema) {
  if (!schema) return "";
  if (schema.$ref) return schema.$ref.split("/").pop();
  if (schema.anyOf) return schema.anyOf.map(shape).join(" | ");
  if (schema.enum) return schema.enum.join(" | ");
  if (schema.const !== undefined) return String(schema.const);
  if (schema.type === "array") return "list of " + shape(schema.items);
  return schema.type || "any";
}

function fieldTable(document_, schema) {
  const table = element("table");
  const resolved = resolve(document_, schema);
  for (const [name, field] of Object.entries(resolved.properties || {})) {
    const row = table.insertRow();
    row.append(element("td", name), element("td", shape(field)), element("td", field.description || ""));
  }
  return table;
}

// A stream never ends by itself: it is shown as it comes, for as long as the page is open.
async function follow(answer, output) {
  output.textContent = "";
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) output.textContent += part.value;
}

async function send(method, path, inputs, output) {
  let url = path;
  const query = new URLSearchParams();
  const key = document.getElementById("key").value.trim();
  const headers = key ? { Authorization: `Bearer ${key}` } : {};
  for (const { parameter, input } of inputs) {
    if (input.value === "") continue;
    if (parameter.in === "path") url = url.replace(`{${parameter.name}}`, encodeURIComponent(input.value));
    else if (parameter.in === "header") headers[parameter.name] = input.value;
    else query.set(parameter.name, input.value);
  }
  if (query.size) url += `?${query}`;
  output.textContent = "…";
  try {
    const answer = await fetch(url, { method, headers });
    if ((answer.headers.get("content-type") || "").includes("event-stream")) return await follow(answer, output);
    const text = await answer.text();
    const json = (answer.headers.get("content-type") || "").includes("json");
    output.textContent = `${answer.status}  ${method} ${url}\n\n` + (json ? JSON.stringify(JSON.parse(text), null, 2) : text);
  } catch (error) {
    output.textContent = String(error);
  }
}

function route(document_, path, method, operation) {
  const section = element("section");
  const details = element("details");
  const summary = element("summary");
  summary.append(element("span", method.toUpperCase(), { class: `method ${method}` }), element("code", path));
  details.append(summary, element("p", operation.description || operation.summary || ""));

  const inputs = [];
  const table = element("table");
  for (const parameter of operation.parameters || []) {
    const input = element("input", undefined, { size: 28, placeholder: String(parameter.schema.default ?? "") });
    inputs.push({ parameter, input });
    const cell = element("td");
    cell.append(input);
    const row = table.insertRow();
    row.append(
      element("td", parameter.name + (parameter.required ? " *" : "")),
      element("td", shape(parameter.schema)),
      cell,
      element("td", parameter.description || parameter.schema.description || ""),
    );
  }
  const output = element("pre", "");
  const button = element("button", "试一试 / try");
  button.addEventListener("click", () => send(method.toUpperCase(), path, inputs, output));
  details.append(table, button, output);

  const content = (operation.responses["200"] || {}).content || {};
  const answer = (content["application/json"] || {}).schema;
  if (answer) {
    details.append(element("h4", `answer: ${shape(answer)}`), fieldTable(document_, answer));
    const items = (resolve(document_, answer).properties || {}).items;
    if (items && items.items && items.items.$ref) {
      details.append(element("h4", shape(items.items)), fieldTable(document_, items.items));
    }
  }
  section.append(details);
  return section;
}

async function draw() {
  const main = document.getElementById("routes");
  const document_ = await (await fetch("/api/v1/openapi.json")).json();
  document.getElementById("title").textContent = `${document_.info.title} ${document_.info.version}`;
  document.getElementById("description").textContent = document_.info.description.trim();
  main.replaceChildren();
  for (const [path, operations] of Object.entries(document_.paths)) {
    for (const [method, operation] of Object.entries(operations)) main.append(route(document_, path, method, operation));
  }
}

draw().catch((error) => { document.getElementById("routes").textContent = String(error); });
