"use strict";
// Everything recorded is hostile: it reaches the page by textContent alone.
const FOLDED = 1500; // characters; a longer text is made part of the page when it is opened

function make(tag, name, text) {
  const element = document.createElement(tag);
  if (name) element.className = name;
  if (text !== undefined) element.textContent = text.toWellFormed ? text.toWellFormed() : text;
  return element;
}

async function readData() {
  const script = document.getElementById("bundle");
  if (!("packed" in script.dataset)) return JSON.parse(script.textContent);
  const bytes = Uint8Array.from(atob(script.textContent), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

function renderWords(text) {
  if (text.length <= FOLDED) return make("pre", "words", text);
  const details = make("details");
  const summary = make("summary", "words", text.slice(0, 300) + " …");
  summary.append(make("span", "facts", " (" + text.length.toLocaleString("en") + " characters)"));
  details.append(summary);
  details.addEventListener("toggle", () => {
    if (details.open && details.children.length === 1) details.append(make("pre", "words", text));
  });
  return details;
}

const ROLES = ["system", "tools", "user", "assistant", "tool", "result"];

function renderTurn(turn) {
  const article = make("article", "error" in turn.facts ? "error" : "");
  const number = turn.number === null ? "" : "#" + turn.number + " ";
  article.append(make("h2", "", turn.time + "  " + number + turn.title));
  const facts = Object.entries(turn.facts).map(([name, value]) => name + " " + value).join(", ");
  const details = make("details", "facts");
  details.append(make("summary", "", turn.ref), make("div", "", facts));
  article.append(details);
  for (const note of turn.notes) article.append(make("p", "notes", note));
  for (const line of turn.lines) {
    const row = make("div", ROLES.includes(line.role) ? "line " + line.role : "line");
    const words = make("div", "words");
    words.append(renderWords(line.text));
    row.append(make("div", "role", line.role), words);
    article.append(row);
  }
  return article;
}

readData().then(
  (data) => {
    document.title = data.title;
    const header = make("header");
    header.append(make("h1", "", data.title));
    const list = make("dl");
    for (const [name, value] of data.facts) list.append(make("dt", "", name), make("dd", "", value));
    const button = make("button", "", "Open all");
    button.addEventListener("click", () => {
      for (const details of document.querySelectorAll("details")) details.open = true;
    });
    header.append(list, button);
    document.body.replaceChildren(header, ...data.turns.map(renderTurn), document.getElementById("bundle"));
    document.documentElement.dataset.state = "ready";
  },
  (error) => {
    document.body.prepend(make("p", "", "The data of this page cannot be read: " + error));
  },
);
