// Functions, classes and what stands between them, of source code, by Lezer's parsers.
import type { Parser, SyntaxNode } from '@lezer/common'
import { lineCounter } from './markdown.ts'
import { plainBlocks } from './plain.ts'
import { treeOf } from './tree.ts'
import type { Block, PassageLength } from './types.ts'

const javascript = (dialect: string) => async () =>
  (await import('@lezer/javascript')).parser.configure(dialect ? { dialect } : {})
const cpp = async () => (await import('@lezer/cpp')).parser

/** Parsers by a file's ending. */
const parsers: Readonly<Record<string, () => Promise<Parser>>> = {
  js: javascript('jsx'),
  mjs: javascript('jsx'),
  cjs: javascript('jsx'),
  jsx: javascript('jsx'),
  ts: javascript('ts'),
  mts: javascript('ts'),
  cts: javascript('ts'),
  tsx: javascript('ts jsx'),
  py: async () => (await import('@lezer/python')).parser,
  pyi: async () => (await import('@lezer/python')).parser,
  c: cpp,
  h: cpp,
  cc: cpp,
  cpp,
  cxx: cpp,
  hpp: cpp,
  java: async () => (await import('@lezer/java')).parser,
  rs: async () => (await import('@lezer/rust')).parser,
  go: async () => (await import('@lezer/go')).parser,
}

/** Endings of code that is cut at empty lines, for want of a parser. */
const others = new Set(
  'sh bash zsh pl pm rb php cs kt swift scala lua r jl sql awk m4 cmake mk css scss json yaml yml toml ini conf xml'.split(
    ' ',
  ),
)

/** True for a file of code, by its ending. */
export const isCode = (ending: string): boolean => Object.hasOwn(parsers, ending) || others.has(ending)

/** Blocks of code: a function or class each, and statements between them. Of what is no valid code, as much as the parser makes of it. @throws PipiloError those of {@link treeOf} */
export async function* codeBlocks(
  text: string,
  ending: string,
  length: PassageLength,
  id: string,
): AsyncGenerator<Block> {
  const load = Object.hasOwn(parsers, ending) ? parsers[ending] : undefined
  if (load) {
    const tree = treeOf((await load()).startParse(text), text, id)
    yield* new CodeReader(text, length).blocks(tree.topNode, [])
  } else yield* plainBlocks(text, {}, true)
}

const definition =
  /^(?:Async)?(?:Function|Method|Constructor|Class|Struct|Union|Enum|Interface|Namespace|Trait|Impl|Mod|Module|Record|AnnotationType|MacroDefinition)(?:Declaration|Definition|Specifier|Item|Decl)?$|^(?:TypeDecl|TemplateDeclaration|DecoratedStatement)$/

/** Nodes in which a definition lies with nothing else. */
const wrapper =
  /^(?:ExportDeclaration|DecoratedStatement|TemplateDeclaration|LinkageSpecification|VariableDeclaration|AmbientDeclaration)$/

/** Nodes that hold the members of a definition. */
const body = /(?:Body|DeclarationList|CompoundStatement)$/

/** Definitions in each other that have passages of their own. */
const DEEPEST = 100

const functionValue = /^(?:ArrowFunction|FunctionExpression|ClassExpression)$/

class CodeReader {
  readonly #text: string
  readonly #length: PassageLength
  readonly #lineAt: (place: number) => number

  constructor(text: string, length: PassageLength) {
    this.#text = text
    this.#length = length
    this.#lineAt = lineCounter(text)
  }

  /** The children of a node: definitions, each with the comments above it, and the stretches between them. */
  *blocks(
    parent: SyntaxNode,
    sections: readonly string[],
    from = parent.from,
    to = parent.to,
    opens = false,
  ): Generator<Block> {
    let start = from
    let end = from
    /** Start of the comments right above the next node. */
    let comments: number | undefined
    for (let node = parent.firstChild; node; node = node.nextSibling) {
      if (node.to <= from || node.from >= to) continue
      if (/Comment$/.test(node.name)) {
        // Behind a statement on its line, a comment belongs to that one.
        if (comments === undefined && this.#beginsLine(node.from)) comments = node.from
        continue
      }
      const defined = definitionIn(node)
      if (defined) {
        const begin = Math.max(end, comments ?? node.from)
        yield* this.#between(start, begin, sections, opens && start === from)
        yield* this.#definition(node, defined, begin, sections)
        start = node.to
        end = node.to
      }
      comments = undefined
    }
    yield* this.#between(start, to, sections, opens && start === from)
  }

  #beginsLine(place: number): boolean {
    return /(?:^|\n)[ \t]*$/.test(this.#text.slice(Math.max(0, place - 200), place))
  }

  *#definition(
    node: SyntaxNode,
    defined: SyntaxNode,
    begin: number,
    sections: readonly string[],
  ): Generator<Block> {
    const from = this.#lineStart(begin)
    const title = titleOf(this.#text.slice(node.from, node.to))
    const path = [...sections, title]
    const inner = bodyOf(defined)
    const whole = this.#text.slice(from, node.to)
    if (
      inner &&
      sections.length < DEEPEST &&
      this.#length.count(whole) > this.#length.tokens &&
      hasDefinitions(inner)
    ) {
      // Members have their own passages; the head of the definition stands before them.
      yield* this.blocks(inner, path, from, node.to, true)
      return
    }
    yield { ...this.#block(from, node.to, path), opens: true, alone: true }
  }

  *#between(from: number, to: number, sections: readonly string[], opens: boolean): Generator<Block> {
    const part = this.#text.slice(from, to)
    if (!/[\p{L}\p{N}]/u.test(part)) return
    let first = opens
    for (const block of plainBlocks(part, { line: this.#lineAt(from), sections }, true)) {
      yield first ? { ...block, opens: true } : block
      first = false
    }
  }

  #lineStart(place: number): number {
    const start = this.#text.lastIndexOf('\n', place - 1) + 1
    return this.#text.slice(start, place).trim() === '' ? start : place
  }

  #block(from: number, to: number, sections: readonly string[]): Block {
    const text = this.#text.slice(from, to).trimEnd()
    const line = this.#lineAt(from)
    return { text, line, endLine: line + text.split('\n').length - 1, sections, exact: true, byLine: true }
  }
}

/** The definition that a node is, or is made of. */
function definitionIn(node: SyntaxNode): SyntaxNode | undefined {
  if (wrapper.test(node.name)) {
    for (let child = node.firstChild; child; child = child.nextSibling) {
      if (functionValue.test(child.name)) return child
      const found = wrapper.test(child.name) || definition.test(child.name) ? definitionIn(child) : undefined
      if (found) return found
    }
    return undefined
  }
  return definition.test(node.name) ? node : undefined
}

function bodyOf(node: SyntaxNode): SyntaxNode | undefined {
  for (let child = node.firstChild; child; child = child.nextSibling) if (body.test(child.name)) return child
  return undefined
}

function hasDefinitions(node: SyntaxNode): boolean {
  for (let child = node.firstChild; child; child = child.nextSibling) if (definitionIn(child)) return true
  return false
}

/** The signature of a definition: its first line of words, without decorators. */
function titleOf(text: string): string {
  const line = text.split('\n').find((each) => /\w/.test(each) && !/^\s*(?:@|\/\/|\/?\*|#)/.test(each)) ?? ''
  return line
    .replace(/(?:\{|=>).*|:\s*$/, '')
    .trim()
    .slice(0, 100)
}
