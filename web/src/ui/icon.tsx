const shapes = {
  folder: "M3 7a2 2 0 0 1 2-2h4l2 2h8a2 2 0 0 1 2 2v8a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2z",
  file: "M6 3h8l5 5v11a2 2 0 0 1-2 2H7a2 2 0 0 1-2-2V4a1 1 0 0 1 1-1zM14 3v5h5",
  more: "M5 12h.01M12 12h.01M19 12h.01",
  close: "M6 6l12 12M18 6L6 18",
  up: "M12 19V5M5 12l7-7 7 7",
};

/** A small drawing beside a text that says the same. */
export const Icon = ({ name }: { name: keyof typeof shapes }) => (
  <svg class={`icon ${name}`} viewBox="0 0 24 24" aria-hidden="true"><path d={shapes[name]} /></svg>
);
