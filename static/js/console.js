// Behaviour of the pages beyond plain HTML. The pages also work without it, and it does not depend on a source.
// There is one listener per event type, on the document, because htmx replaces parts of the page.
(() => {
  "use strict";
  const root = document.documentElement;
  const find = (selector) => document.querySelector(selector);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  root.classList.add("js");

  // Theme: system -> light -> dark -> system.
  const themes = ["", "light", "dark"];
  const setTheme = (theme) => {
    if (theme) {
      root.dataset.bsTheme = theme;
      localStorage.setItem("theme", theme);
    } else {
      delete root.dataset.bsTheme;
      localStorage.removeItem("theme");
    }
    showTheme();
  };
  const showTheme = () => {
    const name = root.dataset.bsTheme || "system";
    all("[data-theme-name]").forEach((label) => { label.textContent = `Theme: ${name}`; });
    all("[data-theme-toggle]").forEach((button) => { button.hidden = false; });
  };

  // Long lists (the rows of a table, the values of a control): filter by name, select all shown rows. A list may be
  // inside a row of another list.
  const listOf = (part) => part.closest("table, .multi-choice");
  const rowsOf = (list) => all("[data-name]", list).filter((row) => listOf(row) === list);
  const filterRows = (control) => {
    const list = control.dataset.filter || control.dataset.groupOf;
    const wanted = find(`[data-filter="${list}"]`).value.trim().toLowerCase();
    const group = find(`[data-group-of="${list}"]`)?.value;
    rowsOf(find(list)).forEach((row) => {
      row.hidden = !row.dataset.name.toLowerCase().includes(wanted) || Boolean(group && row.dataset.group !== group);
    });
    showTickAll();
  };
  // Sort the rows of a table. A row takes the row with its settings along.
  const sortRows = (select) => {
    const by = select.value;
    const isTicked = (row) => Boolean(row.querySelector(":scope > td:first-child .tick:checked"));
    const rows = rowsOf(find(select.dataset.sort));
    const place = (row) => (by ? Number(row.dataset[by]) : Number(isTicked(row)));
    const byName = (a, b) => a.dataset.name.localeCompare(b.dataset.name);
    const pairs = rows.sort(by === "name" ? byName : (a, b) => place(b) - place(a))
      .map((row) => [row, row.nextElementSibling?.matches(".selection-row") ? row.nextElementSibling : null]);
    pairs.flat().filter(Boolean).forEach((row) => row.parentElement.append(row));
  };
  const showChosen = () => all("[data-chosen]").forEach((text) => {
    const chosen = ticked(ticksOf(rowsOf(find(text.dataset.chosen))));
    const most = Number(text.dataset.most);
    text.textContent = chosen <= most ? `${chosen} of ${most} chosen`
      : `${chosen} chosen: the first ${most} are this migration, the other ${chosen - most} the next one`;
  });
  const ticksOf = (rows) => rows
    .map((row) => row.querySelector(":scope > td:first-child .tick:not(:disabled), :scope > label > .tick"))
    .filter(Boolean);
  const shownTicks = (list) => ticksOf(rowsOf(list).filter((row) => !row.hidden));
  const ticked = (ticks) => ticks.filter((tick) => tick.checked).length;
  const showTickAll = () => {
    showChosen();
    all("[data-tick-all]").forEach((box) => {
      const ticks = shownTicks(listOf(box));
      box.hidden = ticks.length === 0;
      box.checked = ticks.length > 0 && ticked(ticks) === ticks.length;
      box.indeterminate = ticked(ticks) > 0 && !box.checked;
    });
    all("[data-ticked]").forEach((text) => {
      const ticks = ticksOf(rowsOf(listOf(text)));
      text.textContent = `${ticked(ticks).toLocaleString("en")} of ${ticks.length.toLocaleString("en")} chosen`;
    });
  };
  const tickAll = (box) => {
    const on = box.checked;
    shownTicks(listOf(box)).forEach((tick) => { tick.checked = on; });
    showTickAll();
  };

  // A text that is read from a file, such as a certificate. The file itself is not sent.
  const readFile = async (input) => {
    const [file] = input.files;
    const text = find(input.dataset.textOf);
    const [done, problem] = all("[role]", input.closest(".file-line"));
    if (!file) return;
    const most = Number(input.dataset.most);
    let fault = "";
    if (file.size > most) {
      fault = `“${file.name}” is larger than ${most / 1000} KB.`;
    } else {
      try {
        const content = new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer());
        if (content.includes("\0")) throw new TypeError();
        text.value = content;
        text.dispatchEvent(new Event("change", { bubbles: true }));
      } catch {
        fault = `“${file.name}” is not a text file. Convert a certificate in DER format to PEM (openssl x509 -inform der).`;
      }
    }
    input.value = ""; // so that the same file can be chosen again
    problem.textContent = fault;
    done.textContent = fault ? "" : `Read from ${file.name}.`;
  };

  // Settings in groups, of which one is filled in: show only the chosen group.
  const showGroup = () => all("[data-groups]:checked").forEach((choice) => {
    all("[data-group]", choice.form).forEach((control) => {
      control.closest(".field-grid > *").hidden = control.dataset.group !== choice.value;
    });
  });

  // Dialogs: #dialog shows a fetched page; #ask asks before a form is sent. The question belongs to the form or to
  // one of its buttons. After the answer "yes", the form is sent with this button, or with the one of confirmBy.
  const ask = (form, submitter, { confirm, confirmLabel, confirmBy }) => {
    const dialog = find("#ask");
    find("#ask-text").textContent = confirm;
    find("#ask-yes").textContent = confirmLabel || "Yes";
    dialog.returnValue = "";
    dialog.addEventListener("close", () => {
      if (dialog.returnValue !== "yes") return;
      form.dataset.confirmed = "yes";
      form.requestSubmit(confirmBy ? find(confirmBy) : submitter);
    }, { once: true });
    dialog.showModal();
  };

  const copy = async (button) => {
    await navigator.clipboard.writeText(find(button.dataset.copy).textContent.trim());
    const before = button.textContent;
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = before; }, 1500);
  };

  // Problems of the mapping table: go to the first; after a fix, stay in its row.
  let goToProblem = false;
  let placeOfFix = "";
  const focusIn = (place) => {
    const control = place?.querySelector("input:not([type=hidden]):not(:disabled):not(.tick), select");
    if (!control) return false;
    place.scrollIntoView({ block: "center" });
    control.focus({ preventScroll: true });
    return true;
  };
  const focusNear = (problem) =>
    Boolean(problem) && (focusIn(problem.closest("td, .settings-grid > div")) || focusIn(problem.closest("tr")));
  const focusProblem = () => focusNear(find("form .problem"));

  // The faults of a form: a summary names them. Go to the first.
  const goTo = (place) => {
    const target = document.getElementById(place);
    if (!target) return false;
    for (let part = target; part; part = part.parentElement) if (part.tagName === "DETAILS") part.open = true;
    const isControl = target.matches("input, select, textarea");
    const control = isControl ? target : target.querySelector("input:not([type=hidden]):not(:disabled), select, textarea");
    target.scrollIntoView({ block: "center" });
    control?.focus({ preventScroll: true });
    return Boolean(control);
  };
  const placeOf = (link) => link?.getAttribute("href").slice(1);

  const start = () => {
    showTheme();
    showTickAll();
    showGroup();
    if (goToProblem) goToProblem = !focusProblem();
    if (placeOfFix) focusNear(document.getElementById(placeOfFix));
    placeOfFix = "";
    all("[data-copy]").forEach((button) => { button.hidden = !navigator.clipboard; });
    all("[data-filter], [data-sort], [data-group-of]").forEach((control) => { control.hidden = false; });
    all("[data-filter]").filter((input) => input.value).forEach(filterRows);
  };

  document.addEventListener("click", (event) => {
    const at = (selector) => event.target.closest(selector);
    if (at("[data-theme-toggle]")) {
      setTheme(themes[(themes.indexOf(root.dataset.bsTheme || "") + 1) % themes.length]);
    } else if (at("[data-copy]")) {
      copy(at("[data-copy]"));
    } else if (at("[data-first-problem]")) {
      goToProblem = !focusProblem();
      if (!goToProblem) event.preventDefault();
    } else if (at("[data-faults] a")) {
      if (goTo(placeOf(at("[data-faults] a")))) event.preventDefault();
    } else if (at("button[name=fix]")) {
      placeOfFix = (at(".problems") ?? at("tr"))?.id ?? "";
    } else if (at("dialog [data-close]")) {
      event.preventDefault();
      at("dialog").close();
    } else if (event.target.tagName === "DIALOG") {
      event.target.close();
    }
  });

  document.addEventListener("input", (event) => {
    if (event.target.matches("[data-filter]")) filterRows(event.target);
  });

  // A page with unsent input asks before the user leaves it.
  let unsent = false;
  document.addEventListener("change", (event) => {
    const field = event.target;
    if (field.matches("[data-text-of]")) readFile(field);
    else if (field.matches("[data-tick-all]")) tickAll(field);
    else if (field.matches(".tick")) showTickAll();
    else if (field.matches("[data-groups]")) showGroup();
    else if (field.matches("[data-sort]")) sortRows(field);
    else if (field.matches("[data-group-of]")) filterRows(field);
    if (field.closest("[data-autosubmit]") && !field.matches("[data-filter]")) field.form.requestSubmit(field.form.querySelector("[data-default]"));
    if (field.closest("form[data-guard]")) unsent = true;
  });
  window.addEventListener("beforeunload", (event) => {
    if (unsent) event.preventDefault();
  });

  // Edits that are not sent yet when the page is left, because the check waits a moment or the field still has the
  // focus. Links wait for the answer; a page that is closed sends without waiting.
  let edits = 0;
  let sentEdits = 0;
  const noteEdit = (event) => {
    if (event.target.closest("form[data-leave]") && !event.target.matches("[data-filter]")) edits += 1;
  };
  document.addEventListener("input", noteEdit);
  document.addEventListener("change", noteEdit);
  const sendEdits = async () => {
    const form = find("form[data-leave]");
    if (!form || edits === sentEdits) return;
    sentEdits = edits;
    const body = new URLSearchParams(new FormData(form));
    body.set("action", "check");
    const request = { method: "POST", body, headers: { "HX-Request": "true" } };
    // A browser refuses to keep a large request alive.
    await fetch(location.pathname, { ...request, keepalive: body.toString().length < 60000 }).catch(() => {});
  };
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (event.target.matches("[data-check]")) event.target.dataset.edits = edits;
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    if (event.target.matches("[data-check]") && event.detail.successful) sentEdits = Number(event.target.dataset.edits);
  });
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[href]");
    const opensElsewhere = event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey;
    if (!link || opensElsewhere || link.target || link.getAttribute("href").startsWith("#")) return;
    if (edits === sentEdits || !find("form[data-leave]")) return;
    event.preventDefault();
    event.stopPropagation();
    sendEdits().then(() => { location.href = link.href; });
  }, true);
  window.addEventListener("pagehide", sendEdits);
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "hidden") sendEdits();
  });

  // The Enter key in a filter does not send the form.
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.target.matches("[data-filter]")) event.preventDefault();
  });

  // In the capture phase, so that it runs before htmx handles the event.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    const asking = [event.submitter, form].find((part) => part?.dataset.confirm);
    if (asking && form.dataset.confirmed !== "yes") {
      event.preventDefault();
      event.stopPropagation();
      ask(form, event.submitter, asking.dataset);
      return;
    }
    delete form.dataset.confirmed;
    unsent = false;
    sentEdits = edits;
    // The page that comes back replaces what a check of the form would update.
    all("[data-check]", form).forEach((check) => htmx.trigger(check, "htmx:abort"));
    if (form.matches("[data-once]")) {
      if (form.dataset.sent) event.preventDefault();
      form.dataset.sent = "yes";
      event.submitter?.setAttribute("aria-disabled", "true");
    }
  }, true);
  window.addEventListener("pageshow", () => {
    all("[data-once]").forEach((form) => { delete form.dataset.sent; });
    all("[aria-disabled]").forEach((button) => { button.removeAttribute("aria-disabled"); });
  });

  document.addEventListener("htmx:beforeRequest", (event) => {
    if (event.target.matches("[data-check]") && event.target.closest("form.htmx-request")) event.preventDefault();
  });

  // htmx sends the pressed button only if it is inside its form; ours are in the footer.
  document.addEventListener("htmx:configRequest", (event) => {
    const button = event.detail.triggeringEvent?.submitter;
    if (button?.name) event.detail.parameters[button.name] = button.value;
  });

  // htmx: show pages with an error status too; open the dialog when its content has loaded; keep a log scrolled to
  // its end; keep opened details open.
  let opened = [];
  document.addEventListener("htmx:beforeSwap", (event) => {
    opened = all("details[id][open]").map((part) => part.id);
    const { boosted, xhr } = event.detail;
    if ((boosted && xhr.status >= 400) || xhr.status === 409) event.detail.shouldSwap = true;
    if (xhr.status === 409) event.detail.isError = false; // the answer tells what to do
    const log = find("[data-pin]");
    if (log) log.dataset.pin = log.scrollTop + log.clientHeight >= log.scrollHeight - 8 ? "end" : "";
  });
  // A part that is replaced while the user types in it keeps the typed text; it is checked when the field is left.
  let typing = null;
  document.addEventListener("htmx:oobBeforeSwap", (event) => {
    const field = document.activeElement;
    const isTyped = field?.matches("input:not([type=checkbox]), textarea") && event.detail.target.contains(field);
    if (isTyped) typing = { id: field.id, value: field.value };
  });
  const keepTyping = () => {
    const field = typing && document.getElementById(typing.id);
    if (field && field.value !== typing.value) {
      field.value = typing.value;
      field.addEventListener("blur", () => field.dispatchEvent(new Event("change", { bubbles: true })), { once: true });
    }
    typing = null;
  };
  let path = location.pathname;
  document.addEventListener("htmx:pushedIntoHistory", () => {
    if (location.pathname !== path) window.scrollTo(0, 0);
    path = location.pathname;
  });
  // htmx keeps a typed secret when the form comes back, so its error state is updated here.
  const markPreserved = () => all(".field-grid [hx-preserve]").forEach((control) => {
    const fault = control.parentElement.querySelector(".invalid-feedback");
    control.classList.toggle("is-invalid", Boolean(fault));
    control.setAttribute("aria-invalid", Boolean(fault));
    if (fault) control.setAttribute("aria-describedby", fault.id);
  });
  // The result of a test: the field with the error, or the panel with the message.
  const showOutcome = () => {
    const field = find("form[data-guard] .is-invalid");
    const outcome = field || find("main .panel");
    if (field) field.focus({ preventScroll: true });
    outcome?.scrollIntoView({ block: "center" });
  };
  document.addEventListener("htmx:afterSettle", (event) => {
    opened.forEach((id) => document.getElementById(id)?.setAttribute("open", ""));
    keepTyping();
    markPreserved();
    if (event.detail.target === document.body && find("form[data-guard]")) showOutcome();
    if (event.detail.target.id === "dialog") event.detail.target.showModal();
    const log = find("[data-pin]");
    if (log && log.dataset.pin === "end") log.scrollTop = log.scrollHeight;
    const status = find("[data-status]");
    const announced = find("#status");
    if (status && announced && announced.textContent !== status.dataset.status) announced.textContent = status.dataset.status;
    start();
  });
  const offline = (is) => () => { find("#offline")?.toggleAttribute("hidden", !is); };
  document.addEventListener("htmx:sendError", offline(true));
  document.addEventListener("htmx:afterOnLoad", offline(false));

  start();
  goTo(placeOf(find("[data-faults] a")));
})();
