import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { expect, it } from 'vitest'

const project = fileURLToPath(new URL('..', import.meta.url))
const { exports } = JSON.parse(readFileSync(`${project}/package.json`, 'utf8')) as {
  exports: Record<string, string | { default: string; browser?: { default: string } }>
}

/** Every door of the package, and the source that it is built from. */
const doors = Object.entries(exports).flatMap(([name, door]) => {
  if (typeof door === 'string') return []
  const source = (built: string) => `${project}src/${built.slice('./dist/'.length, -'.js'.length)}.ts`
  const main = { name: name.replace('.', 'pipilo'), source: source(door.default) }
  return door.browser
    ? [main, { name: `${main.name} (browser)`, source: source(door.browser.default) }]
    : [main]
})

function exportedNames(sources: readonly string[]): string[][] {
  const file = ts.readConfigFile(`${project}/tsconfig.json`, ts.sys.readFile)
  const { options } = ts.parseJsonConfigFileContent({ ...file.config, include: [] }, ts.sys, project)
  const program = ts.createProgram(sources, options)
  const checker = program.getTypeChecker()
  return sources.map((source) => {
    const symbol = checker.getSymbolAtLocation(program.getSourceFile(source)!)
    return symbol ? checker.getExportsOfModule(symbol).map(({ name }) => name) : []
  })
}

// When a name is meant to come or go: npx vitest run test/doors.test.ts -u
it('The doors of the package offer the names in doors.txt, and nothing that only its rooms need.', async () => {
  const names = exportedNames(doors.map(({ source }) => source))
  const list = doors.map(
    ({ name }, i) =>
      `${name}\n${names[i]!.sort()
        .map((each) => `  ${each}\n`)
        .join('')}`,
  )
  await expect(list.join('\n')).toMatchFileSnapshot('doors.txt')
  for (const some of names) expect(some.length).toBeGreaterThan(1)
})

/** Names that a room gives to other rooms and not to users. All of `base` but its errors is of that kind. */
const inner: Record<string, string[]> = {
  runtime: ['compileOptionTypes', 'fileIdentity', 'libraryVersion', 'readNote', 'reopen', 'writeNote'],
  models: [
    'asTensors',
    'available',
    'checkImagePreprocessing',
    'checkModel',
    'checkModelName',
    'embeddingOptionsOf',
    'findInPackage',
    'inPrecision',
    'modalities',
    'openForTraining',
    'openOptionTypes',
    'openOptionsOf',
    'poolings',
    'withGraph',
  ],
  embed: [
    'ModelInput',
    'PlacedToken',
    'ResolvedEmbedder',
    'SkippedKinds',
    'displayPath',
    'embedOptionTypes',
    'embedderOptionTypes',
    'embedderType',
    'findFiles',
    'findInputs',
    'inputFor',
    'isOfFile',
    'modelInput',
    'onErrorType',
    'optionsKey',
    'passageChunk',
    'pathsOf',
    'placedTokens',
    'promptType',
    'queryPrompt',
    'readInputsOptionTypes',
    'readingKey',
    'recipeDifferences',
    'recipeOptions',
    'refuseModality',
    'refusePrompt',
    'renderSvg',
    'resolveEmbedder',
    'rootOf',
    'thumbnail',
    'withPrompt',
  ],
}

it("A name that a room's door has is offered by the package, or known to be inner.", () => {
  const rooms = Object.keys(inner)
  const names = exportedNames(
    rooms.flatMap((room) => [`${project}src/${room}/index.ts`, `${project}src/${room}/public.ts`]),
  )
  for (const [i, room] of rooms.entries()) {
    const [own, offered] = [names[2 * i]!, names[2 * i + 1]!]
    expect(own.filter((name) => !offered.includes(name)).sort(), room).toEqual(inner[room])
    expect(offered.filter((name) => !own.includes(name))).toEqual([])
  }
})
