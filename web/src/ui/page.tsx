// The frames of views.
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { language, languageNames, t, use } from "../texts";

function useTitle(title: string) {
  useEffect(() => {
    document.title = `${title} · ${t().name}`;
  }, [title]);
}

let opened = false; // whether this view replaced another one

/** The heading of a view. It gets the focus, so that screen readers say where one is. */
export function Title({ children }: { children: string }) {
  const h1 = useRef<HTMLHeadingElement>(null);
  useTitle(children);
  useEffect(() => {
    if (opened) h1.current?.focus();
    opened = true;
  }, []);
  return <h1 ref={h1} tabIndex={-1}>{children}</h1>;
}

/** A view of somebody who is not signed in: a form, whose first field gets the focus. */
export function Card({ title, children }: { title: string; children: ComponentChildren }) {
  const card = useRef<HTMLElement>(null);
  useTitle(title);
  useEffect(() => {
    opened = true;
    const field = card.current?.querySelector<HTMLElement>("input");
    (field ?? card.current?.querySelector<HTMLElement>("h1"))?.focus();
  }, [title]);
  return (
    <div class="outside">
      <main class="card" ref={card}>
        <p class="brand"><Logo /> {t().name}</p>
        <h1 tabIndex={-1}>{title}</h1>
        {children}
      </main>
      <footer>
        {Object.entries(languageNames).map(([tag, name]) => (
          <button type="button" class="plain" key={tag} lang={tag} aria-pressed={tag === language.value} onClick={() => use(tag)}>
            {name}
          </button>
        ))}
      </footer>
    </div>
  );
}

export const Logo = () => (
  <svg class="logo" viewBox="0 0 32 32" aria-hidden="true">
    <rect width="32" height="32" rx="8" />
    <path d="M8 14v4M12 11v10M16 8v16M20 11v10M24 14v4" />
  </svg>
);

/** A part of a view. In wide windows, its heading is beside what it is about. */
export function Section({ title, intro, children }: { title: string; intro?: string; children: ComponentChildren }) {
  return (
    <section class="split">
      <header>
        <h2>{title}</h2>
        {intro && <p class="quiet">{intro}</p>}
      </header>
      <div>{children}</div>
    </section>
  );
}

/** A form that stays hidden until somebody wants it. */
export function Reveal({ label, children }: { label: string; children: ComponentChildren }) {
  return (
    <details
      class="reveal"
      onToggle={(event) => event.currentTarget.open && event.currentTarget.querySelector<HTMLElement>("input")?.focus()}
    >
      <summary>{label}</summary>
      {children}
    </details>
  );
}
