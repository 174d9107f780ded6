// A pattern that was read, as a tree: its JavaScript, and the length of its matches.

/** A part of a pattern. */
export type Node =
  /** One character of a class. */
  | { readonly kind: 'set'; readonly source: string }
  /** A place: an anchor or a look around. */
  | { readonly kind: 'place'; readonly source: string; readonly inner?: Node }
  | { readonly kind: 'row'; readonly nodes: readonly Node[] }
  | { readonly kind: 'choice'; readonly nodes: readonly Node[] }
  /** `(?>…)`, and what is possessive. */
  | { readonly kind: 'atomic'; readonly node: Node; readonly name: string }
  | {
      readonly kind: 'repeat'
      readonly node: Node
      readonly least: number
      readonly most: number
      readonly lazy: boolean
    }

/** The pattern in JavaScript. */
export function sourceOf(node: Node): string {
  switch (node.kind) {
    case 'set':
    case 'place':
      return node.source
    case 'row':
      return node.nodes
        .map((inner) => (inner.kind === 'choice' ? `(?:${sourceOf(inner)})` : sourceOf(inner)))
        .join('')
    case 'choice':
      return node.nodes.map(sourceOf).join('|')
    case 'atomic':
      // A look ahead keeps to the first way that it has found.
      return `(?=(?<${node.name}>${sourceOf(node.node)}))\\k<${node.name}>`
    case 'repeat': {
      const { least, most, lazy } = node
      const inner = node.node.kind === 'set' ? sourceOf(node.node) : `(?:${sourceOf(node.node)})`
      return `${inner}{${least},${most === Number.POSITIVE_INFINITY ? '' : most}}${lazy ? '?' : ''}`
    }
  }
}

/** UTF-16 units of the shortest match. */
export function shortest(node: Node): number {
  switch (node.kind) {
    case 'set':
      return 1
    case 'place':
      return 0
    case 'row':
      return node.nodes.reduce((sum, part) => sum + shortest(part), 0)
    case 'choice':
      return Math.min(...node.nodes.map(shortest))
    case 'atomic':
      return shortest(node.node)
    case 'repeat':
      return node.least * shortest(node.node)
  }
}
