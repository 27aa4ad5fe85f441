// Commands: a token that the person types, a question before anything is done, and what came back.
//
//   const command = createCommand({
//     title: "Acknowledge",                      the button, and the question's heading
//     question: () => "This says that …",        asked before anything is sent
//     fields: [{ name: "by", label: "Your name", value: "", required: true, maxlength: 200, hint: "…" }],
//     send: (values, token, key) => post(…),     may throw Problem; its answer has `message` and perhaps `url`
//     done: () => {},                            called after success
//   })
//   place.append(command.element)
//
// The key names what is asked for until it is known to be done: whoever asks again means the same.
// The token stays in this tab's sessionStorage, and is sent in the header of commands alone.

import { announce, button, h, link, put } from "./dom.js";

const KEPT = "nepse-token";
const WHERE = "NEPSE_API_TOKEN in the home's settings.env. It is kept in this tab until you close it.";
const REFUSED = [401, 403, 404, 409, 422]; // all else may have happened after it was done, or while it was
let numbers = 0;

function kept() {
  try {
    return sessionStorage.getItem(KEPT) ?? "";
  } catch {
    return ""; // a browser that keeps nothing for us
  }
}

function keep(token) {
  try {
    if (token) sessionStorage.setItem(KEPT, token);
    else sessionStorage.removeItem(KEPT);
  } catch {
    // it holds for this page then
  }
}

function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (one) => one.toString(16).padStart(2, "0")).join("");
}

export function createCommand({ title, question, fields = [], send, done = () => {} }) {
  const inputs = new Map(fields.map((field) => [field.name, input(field)]));
  const token = input({
    name: "token",
    label: "Token",
    required: true,
    hint: WHERE,
    type: "password",
    value: kept(),
  });
  const said = h("div", { class: "said", role: "status" });
  let key = newKey();
  const submit = h("button", { type: "submit", class: "main" }, `${title} …`);
  const element = h(
    "form",
    { class: "command", autocomplete: "off", onsubmit: asked },
    [...inputs.values(), token].map((one) => one.element),
    h("div", { class: "command-end" }, submit, forget()),
    said,
  );

  function forget() {
    return button(
      "Forget the token",
      () => {
        keep("");
        token.control.value = "";
        announce("The token is forgotten");
        token.control.focus();
      },
      { class: "quiet" },
    );
  }

  async function asked(event) {
    event.preventDefault();
    if (!(await confirmed(title, question()))) return;
    const values = Object.fromEntries(
      [...inputs].map(([name, one]) => [name, one.control.value.trim() || null]),
    );
    submit.disabled = true;
    put(said, h("p", { class: "muted" }, "Asking …"));
    try {
      const answer = await send(values, token.control.value.trim(), key);
      key = newKey();
      keep(token.control.value.trim());
      put(
        said,
        h(
          "p",
          { class: "answer good" },
          h("strong", {}, "Done: "),
          answer.message,
          answer.url && [". ", link(answer.url, "The run's page")],
        ),
      );
      done();
    } catch (problem) {
      if (problem.status === undefined) console.error(problem); // a fault of ours
      if (problem.status === 403) keep("");
      const known = REFUSED.includes(problem.status);
      const head = known ? "Nothing was done: " : "It is not known whether this was done, look again: ";
      put(said, h("p", { class: "answer bad" }, h("strong", {}, head), problem.message));
    }
    submit.disabled = false;
  }

  return { element };
}

function input({ name, label, hint, value = "", type = "text", required = false, maxlength = 200 }) {
  numbers += 1;
  const id = `field-${numbers}`;
  const control = h("input", {
    id,
    name,
    type,
    required,
    maxlength,
    value: value || null,
    spellcheck: "false",
    autocapitalize: "off",
    autocomplete: type === "password" ? "new-password" : "off",
    "aria-describedby": hint && `${id}-hint`,
  });
  const element = h(
    "div",
    { class: "field" },
    h("label", { for: id }, required ? label : `${label} (if you like)`),
    control,
    hint && h("p", { class: "hint", id: `${id}-hint` }, hint),
  );
  return { control, element };
}

// Asks once more. The dialog is the browser's: it holds the focus, and Escape says no.
function confirmed(title, text) {
  return new Promise((answer) => {
    const dialog = h(
      "dialog",
      {
        class: "question",
        "aria-labelledby": "question-title",
        onclose: () => end(dialog.returnValue === "yes"),
      },
      h("h2", { id: "question-title" }, `${title}?`),
      h("p", {}, text),
      h(
        "form",
        { method: "dialog", class: "command-end" },
        h("button", { value: "yes", class: "main" }, title),
        h("button", { value: "no", autofocus: true }, "Leave it"),
      ),
    );

    function end(yes) {
      dialog.remove();
      answer(yes);
    }

    document.body.append(dialog);
    dialog.showModal();
  });
}
