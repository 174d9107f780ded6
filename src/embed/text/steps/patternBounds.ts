// The time that a search for a pattern may take: those that could search without end are found before they do.
import { type Node, shortest } from './patternNodes.ts'

/** Most repetitions that a pattern may count. */
export const MOST = 1000
/** Most ways in which a pattern may match at a place: those that are published have about 60. */
const MOST_WAYS = 4096

/** Why a search for the pattern may not end in time that anybody has; undefined for other patterns. */
export const whyEndless = (node: Node): string | undefined =>
  unbounded(node) ?? (waysOf(node) > MOST_WAYS ? 'it can match in too many ways' : undefined)

/**
 * The reason for which a search may take a time that grows faster than the square of the text: a repetition within a repetition, or two
 * repetitions one behind the other of which both can give back what they took. Undefined for other patterns.
 */
function unbounded(node: Node): string | undefined {
  switch (node.kind) {
    case 'set':
      return undefined
    case 'place':
      return node.inner && unbounded(node.inner)
    case 'choice':
      return firstOf(node.nodes)
    case 'atomic':
      return unbounded(node.node)
    case 'repeat': {
      const several = node.most > 1
      if (several && node.node.kind !== 'set') {
        if (shortest(node.node) === 0) return 'it repeats what may be empty'
        if (!isPlain(node.node)) return 'it repeats a group whose length or beginning is open'
      }
      return unbounded(node.node)
    }
    case 'row': {
      // Repetitions that give back when what follows them is not found.
      let open = 0
      let pending = 0
      for (const part of node.nodes) {
        if (open + pending > 0 && canFail(part)) {
          open += pending
          pending = 0
        }
        if (open > 1) return 'two of its repetitions can share the same text'
        if (givesBack(part)) pending++
      }
      return firstOf(node.nodes)
    }
  }
}

const firstOf = (nodes: readonly Node[]): string | undefined => {
  for (const node of nodes) {
    const why = unbounded(node)
    if (why) return why
  }
  return undefined
}

const canFail = (node: Node): boolean => node.kind === 'place' || shortest(node) > 0

/** True if a part can end at many places. */
function givesBack(node: Node): boolean {
  switch (node.kind) {
    case 'set':
    case 'place':
    case 'atomic':
      return false
    case 'row':
    case 'choice':
      return node.nodes.some(givesBack)
    case 'repeat':
      return node.most > 8 || givesBack(node.node)
  }
}

/**
 * Ways in which a pattern may match at a place, at most: a search may try them all. Repetitions without a bound, of which {@link unbounded}
 * leaves one at a time, count as one.
 */
function waysOf(node: Node): number {
  switch (node.kind) {
    case 'set':
      return 1
    case 'place':
      return node.inner ? waysOf(node.inner) : 1
    case 'atomic':
      return waysOf(node.node)
    case 'row':
      return node.nodes.reduce((product, part) => product * waysOf(part), 1)
    case 'choice':
      return node.nodes.reduce((sum, part) => sum + waysOf(part), 0)
    case 'repeat': {
      const inner = waysOf(node.node)
      // Alternatives that begin with different characters and have a fixed length match in one way.
      if (isPlain(node.node)) return givesBack(node) ? 1 : node.most - node.least + 1
      let sum = 0
      for (let count = node.least; count <= Math.min(node.most, MOST); count++) sum += inner ** count
      return sum
    }
  }
}

/** True if a group matches in one way only: fixed lengths, and alternatives of single characters that differ. */
function isPlain(node: Node): boolean {
  switch (node.kind) {
    case 'set':
    case 'place':
      return true
    case 'row':
      return node.nodes.every(isPlain)
    case 'choice': {
      const heads = node.nodes.map(headOf)
      return (
        node.nodes.every(isPlain) &&
        heads.every((head) => head !== undefined && /^\\u\{[0-9a-f]+\}$/.test(head)) &&
        new Set(heads).size === heads.length
      )
    }
    case 'atomic':
      return isPlain(node.node)
    case 'repeat': {
      return node.least === node.most && isPlain(node.node)
    }
  }
}

/** The source of the single character that a group begins with. */
function headOf(node: Node): string | undefined {
  if (node.kind === 'set') return node.source
  if (node.kind === 'row') return node.nodes[0] && headOf(node.nodes[0])
  return undefined
}
