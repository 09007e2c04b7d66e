// Forms: one request at a time, errors next to the fields, and the focus on the first.
import { createContext, type ComponentChildren } from "preact";
import { useContext, useEffect, useId, useRef, useState } from "preact/hooks";
import { Problem, problemOf } from "../problem";
import { t } from "../texts";
import { Trouble } from "./message";

interface Context {
  busy: boolean;
  problem: Problem | null;
}

const Current = createContext<Context>({ busy: false, problem: null });

/** What somebody has filled in, by the names of the fields. */
export type Values = Record<string, string>;

interface Props {
  action: (values: Values, all: FormData) => Promise<void>;
  children: ComponentChildren;
  /** Shows problems itself, and reports whether it did. */
  onProblem?: (problem: Problem) => boolean;
}

export function Form({ action, children, onProblem }: Props) {
  const form = useRef<HTMLFormElement>(null);
  const running = useRef(false);
  const [state, setState] = useState<Context>({ busy: false, problem: null });

  async function submit(event: SubmitEvent) {
    event.preventDefault();
    if (running.current) return;
    running.current = true;
    setState({ busy: true, problem: null });
    let problem: Problem | null = null;
    try {
      requireAll(form.current!);
      const all = new FormData(form.current!);
      await action(Object.fromEntries(all) as Values, all);
    } catch (error) {
      problem = atItsField(problemOf(error), form.current!);
      if (onProblem?.(problem)) problem = null;
    }
    running.current = false;
    setState({ busy: false, problem });
  }

  useEffect(() => {
    form.current?.querySelector<HTMLElement>("[aria-invalid=true]")?.focus();
  }, [state.problem]);

  const known = state.problem && Object.keys(state.problem.fields).length > 0;
  return (
    <form ref={form} onSubmit={submit} noValidate aria-busy={state.busy}>
      <Current.Provider value={state}>
        {state.problem && !known && <Trouble problem={state.problem} />}
        {children}
      </Current.Provider>
    </form>
  );
}

/** Throws a problem about required fields that are empty, as the gateway would. */
function requireAll(form: HTMLFormElement) {
  const fields: Problem["fields"] = {};
  for (const input of form.querySelectorAll<HTMLInputElement>("input:required")) {
    if (!input.value) fields[input.name] = { code: "required", message: "" };
  }
  if (Object.keys(fields).length > 0) throw new Problem("validation_failed", 422, "", fields);
}

/** The fields that problems without a list of fields are about. */
const fieldOf: Record<string, string> = {
  incorrect_password: "current_password", bad_code: "code", code_required: "code", email_taken: "email",
  wrong_nextcloud_password: "password", file_exists: "name", is_file: "name", is_folder: "name",
};

function atItsField(problem: Problem, form: HTMLFormElement): Problem {
  const name = fieldOf[problem.code];
  // The gateway calls a file by its path.
  const path = problem.fields.path ?? problem.fields.move_to;
  if (path) problem.fields.name ??= path;
  if (name && form.elements.namedItem(name)) problem.fields[name] ??= { code: problem.code, message: problem.detail };
  return problem;
}

interface FieldProps {
  name: string;
  label: string;
  hint?: string;
  optional?: boolean;
  type?: "text" | "email" | "password";
  autocomplete?: string;
  defaultValue?: string;
  inputMode?: "text" | "numeric";
  autocapitalize?: "none";
  spellcheck?: boolean;
}

/** A labelled text field. Its error is that of the same name in the problem. */
export function Field({ name, label, hint, optional, type = "text", ...rest }: FieldProps) {
  const { problem } = useContext(Current);
  const [shown, setShown] = useState(false);
  const id = useId();
  const error = problem?.fields[name];
  const described = [hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(" ");
  const secret = type === "password";
  const effective = (secret && shown ? "text" : type) as "text"; // Preact's types allow no type that varies
  return (
    <div class="field">
      <label for={id}>
        {label} {optional && <span class="quiet">({t().optional})</span>}
      </label>
      <div class="input">
        <input
          id={id} name={name} type={effective} required={!optional}
          aria-invalid={error ? true : undefined} aria-describedby={described || undefined} {...rest}
        />
        {secret && (
          <button type="button" class="plain show" aria-pressed={shown} aria-label={t().showPasswordOf(label)} onClick={() => setShown(!shown)}>
            {t().showPassword}
          </button>
        )}
      </div>
      {error && <p class="error" id={`${id}-error`}>{t().fields[error.code] ?? t().problems[error.code] ?? error.message}</p>}
      {hint && <p class="hint" id={`${id}-hint`}>{hint}</p>}
    </div>
  );
}

/** A choice that is on or off. */
export function Check({ name, value, label, defaultChecked }: { name: string; value?: string; label: string; defaultChecked?: boolean }) {
  return (
    <label class="check">
      <input type="checkbox" name={name} value={value} defaultChecked={defaultChecked} /> {label}
    </label>
  );
}

/** The error about a group of choices. */
export function FieldError({ name }: { name: string }) {
  const error = useContext(Current).problem?.fields[name];
  return error ? <p class="error" role="alert">{t().fields[error.code] ?? error.message}</p> : null;
}

/** The field for a code of the second factor. */
export const CodeField = ({ label }: { label: string }) => (
  <Field name="code" label={label} inputMode="text" autocomplete="one-time-code" autocapitalize="none" spellcheck={false} />
);

/** The button of the form. It stays focusable while the request runs. */
export function Submit({ children, danger }: { children: string; danger?: boolean }) {
  const { busy } = useContext(Current);
  return (
    <button class={danger ? "main danger" : "main"} aria-disabled={busy}>
      {busy && <span class="spinner" aria-hidden="true" />}
      {children}
    </button>
  );
}
