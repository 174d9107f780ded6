// Makes elements of the pages. Texts are texts: nothing that a collection holds becomes HTML.

/** Attributes and listeners of an element. */
interface Parts {
  readonly class?: string
  readonly text?: string
  readonly on?: Readonly<Record<string, (event: never) => void>>
  readonly [attribute: string]: unknown
}

/** An element with attributes, listeners and children. */
export function element<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  { text, on, ...attributes }: Parts = {},
  ...children: readonly (Node | undefined)[]
): HTMLElementTagNameMap[Tag] {
  const made = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) made.setAttribute(name, '')
    else if (value !== undefined && value !== false) made.setAttribute(name, String(value))
  }
  if (text !== undefined) made.textContent = text
  for (const [name, listener] of Object.entries(on ?? {}))
    made.addEventListener(name, listener as EventListener)
  made.append(...children.filter((child) => child !== undefined))
  return made
}

/** A dot in a group's colour. */
export function swatch(color: string): HTMLElement {
  const dot = element('span', { class: 'swatch', 'aria-hidden': 'true' })
  dot.style.background = color
  return dot
}

/** Numbers as a reader counts them. */
export const counted = (count: number, one: string, many = `${one}s`): string =>
  `${count.toLocaleString('en')} ${count === 1 ? one : many}`
