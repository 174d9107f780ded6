/**
 * Counts what the package's root exports, and lists the types that its signatures use and that no door offers.
 * Reads `dist/`: what users and their compilers see.
 *
 *     npx tsx scripts/exports.ts            # after npm run build; another checkout's folder may be named
 */
import { join, relative, resolve, sep } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import ts from 'typescript'

/** Rooms whose doors name the parts of a graph or a network: the root names the whole. */
const ROOMS_OF_PARTS = ['graph', 'nn']

export interface RootExports {
  /** Names that exist when the program runs: functions, classes, constants. */
  readonly values: readonly string[]
  /** Names for the compiler only. */
  readonly types: readonly string[]
  /**
   * Types that exported signatures use and that cannot be imported, each with one place that uses it. Generic aliases
   * (computed types), and what a module keeps to itself, need no name.
   */
  readonly missing: readonly { readonly name: string; readonly usedIn: string }[]
}

/** Names that the built package in a folder exports from its root, and types that it uses without exporting them. */
export async function rootExports(project: string): Promise<RootExports> {
  const dist = join(resolve(project), 'dist')
  const door = (room: string): string => join(dist, room, 'index.d.ts')
  const program = ts.createProgram(['', ...ROOMS_OF_PARTS].map(door), {
    target: ts.ScriptTarget.ES2023,
    module: ts.ModuleKind.NodeNext,
    types: ['node'],
    skipLibCheck: true,
    noEmit: true,
  })
  const checker = program.getTypeChecker()
  const target = (symbol: ts.Symbol): ts.Symbol =>
    symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol
  /** Symbols that a door exports, with the names that they have there. */
  const exportsOf = (room: string): Map<ts.Symbol, string> => {
    const file = program.getSourceFile(door(room))
    const symbol = file && checker.getSymbolAtLocation(file)
    if (!symbol) throw new Error(`There is no ${door(room)}: run npm run build first.`)
    return new Map(checker.getExportsOfModule(symbol).map((one) => [target(one), one.name]))
  }
  const exported = exportsOf('')
  const parts = new Map(ROOMS_OF_PARTS.map((room) => [room, exportsOf(room)]))

  const missing = new Map<ts.Symbol, string>()
  const seen = new Set<ts.Symbol>()
  const meet = (symbol: ts.Symbol, usedIn: string): void => {
    const declared = (symbol.declarations ?? []).filter(
      (one) => isDeclaration(one) && !relative(dist, one.getSourceFile().fileName).startsWith('..'),
    )
    if (seen.has(symbol) || declared.length === 0) return
    seen.add(symbol)
    const [room = ''] = relative(dist, declared[0]!.getSourceFile().fileName).split(sep)
    const others = /Options$/.test(symbol.name) ? undefined : parts.get(room)
    const isOffered = exported.has(symbol) || others?.has(symbol)
    if (!isOffered && declared.some(needsName)) missing.set(symbol, usedIn)
    if (!others) for (const one of declared) visit(one, symbol.name)
  }
  const visit = (node: ts.Node, usedIn: string): void => {
    const name = typeNameOf(node)
    const symbol = name && checker.getSymbolAtLocation(name)
    if (symbol) meet(target(symbol), usedIn)
    if (!isHidden(node)) ts.forEachChild(node, (child) => visit(child, usedIn))
  }
  for (const [symbol, name] of exported) meet(symbol, name)

  const values = Object.keys(await import(pathToFileURL(join(dist, 'index.js')).href)).sort()
  const types = [...exported.values()].filter((name) => !values.includes(name)).sort()
  return { values, types, missing: [...missing].map(([{ name }, usedIn]) => ({ name, usedIn })) }
}

const isType = (node: ts.Node): boolean =>
  ts.isInterfaceDeclaration(node) || ts.isClassDeclaration(node) || ts.isTypeAliasDeclaration(node)

/** A type, or a value whose type is asked for by `typeof`; not a parameter of a generic type. */
const isDeclaration = (node: ts.Node): boolean =>
  isType(node) || ts.isFunctionDeclaration(node) || ts.isVariableDeclaration(node)

/** A type that another module may import, and no computed one. */
const needsName = (node: ts.Declaration): boolean => {
  const isExported = (ts.getCombinedModifierFlags(node) & ts.ModifierFlags.Export) !== 0
  return isType(node) && isExported && !(ts.isTypeAliasDeclaration(node) && node.typeParameters)
}

/** The name in a place where a type is used. */
function typeNameOf(node: ts.Node): ts.Node | undefined {
  if (ts.isTypeReferenceNode(node)) return node.typeName
  if (ts.isExpressionWithTypeArguments(node)) return node.expression
  if (ts.isImportTypeNode(node)) return node.qualifier
  if (ts.isTypeQueryNode(node)) return node.exprName
  return undefined
}

const isHidden = (node: ts.Node): boolean =>
  ts.canHaveModifiers(node) &&
  (ts.getModifiers(node) ?? []).some(({ kind }) => kind === ts.SyntaxKind.PrivateKeyword)

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const project = process.argv[2] ?? fileURLToPath(new URL('..', import.meta.url))
  const { values, types, missing } = await rootExports(project)
  console.log(`${values.length} values: ${values.join(', ')}`)
  console.log(`${types.length} types: ${types.join(', ')}`)
  console.log(`${values.length + types.length} names`)
  for (const { name, usedIn } of missing) console.log(`not exported: ${name}, used in ${usedIn}`)
}
