/** Programs that tests run in the page, by the debugger and past its policy. */

/** Before the page's own program: keeps hold of the worker that it starts. */
export const KEEP_WORKER = `
  const Started = Worker;
  window.Worker = class extends Started {
    constructor(url) {
      super(url);
      window.lastWorker = this;
    }
  };`;

/** A function of a bundle in hexadecimal and a policy: what the page's worker reports of them. */
export const ASK_WORKER = `({ bundle, policy }) => {
  const bytes = new Uint8Array(bundle.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(bundle.slice(2 * i, 2 * i + 2), 16);
  return new Promise((resolve) => {
    window.lastWorker.onmessage = ({ data }) => {
      if (data.kind === 'report') resolve(data.json);
      if (data.kind === 'problem') resolve(data.message);
    };
    window.lastWorker.postMessage({ kind: 'verify', bundle: bytes, policy });
  });
}`;

/** Everything by which a page could reach out, or run what is not in it. */
export const TRY_TO_REACH = `(async () => {
  const image = await new Promise((resolve) => {
    const element = new Image();
    element.onload = () => resolve('loaded');
    element.onerror = () => resolve('refused');
    element.src = 'data:image/gif;base64,R0lGODlhAQABAAAAACw=';
  });
  const fetched = await fetch('data:text/plain,x').then(
    () => 'loaded',
    () => 'refused',
  );
  const script = document.createElement('script');
  script.textContent = 'document.title = "ran"';
  document.head.append(script);
  return { image, fetched, script: document.title === 'ran' ? 'ran' : 'refused' };
})()`;

/** Words in Latin letters that a reader sees, without names, hashes and what is marked as English. */
export const LATIN_WORDS = `(() => {
  for (const element of document.querySelectorAll(
    '[lang=en], code, pre, bdi, option, strong',
  )) {
    element.remove();
  }
  return document.body.innerText.replace(/[0-9a-f]{32,}/g, '').match(/[A-Za-z]{4,}/g) ?? [];
})()`;

/** A function of the bundle in base64 and the policy: drops both onto the page, the policy first. */
export const DROP = `(bundle, policy) => {
  const transfer = new DataTransfer();
  transfer.items.add(new File([policy], 'p'));
  const bytes = Uint8Array.from(atob(bundle), (character) => character.charCodeAt(0));
  transfer.items.add(new File([bytes], 'b'));
  window.dispatchEvent(new DragEvent('drop', { dataTransfer: transfer }));
}`;

/** Room that runs over the side, and the weakest contrast of a text with its ground (WCAG 2.2, 1.4.3). */
export const MEASURE = `(() => {
  const luminance = (color) => {
    const [r = 0, g = 0, b = 0] = (color.match(/[\\d.]+/g) ?? [])
      .slice(0, 3)
      .map((part) => Number(part) / 255)
      .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = luminance(getComputedStyle(document.body).backgroundColor);
  const contrasts = [
    ...document.querySelectorAll('p, dt, dd, h1, h2, li, summary span, td, th'),
  ]
    .filter((element) => element.textContent !== '')
    .map((element) => luminance(getComputedStyle(element).color))
    .map((own) => (Math.max(own, ground) + 0.05) / (Math.min(own, ground) + 0.05));
  return {
    over: document.documentElement.scrollWidth - innerWidth,
    weakest: Math.min(...contrasts),
  };
})()`;

/** Of every control that is seen: what it is called. */
export const CONTROL_NAMES = `[...document.querySelectorAll('button, input, select')]
  .filter((element) => element.checkVisibility())
  .map((element) => element.closest('label')?.innerText.trim() || element.innerText.trim())`;
