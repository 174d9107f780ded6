// Checks how files and comments begin: a file opens with one sentence that says what it is, and no comment with a riddle.
import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

/** Folders whose files are checked; tests and their helpers' data are not. */
const folders = ['src', 'scripts', 'bench', 'web']
const left = /\.test(-d)?\.ts$|\/testdata\/|\/node_modules\/|\/dist\//

/** Words that put a question before the noun. */
const riddle = /^(What|Where|Who|Whose|Whether|Which)\b/

export interface Finding {
  readonly file: string
  readonly line: number
  readonly fault: string
}

/** Text of a comment without its marks and stars, in one line. */
function plain(comment: string): string {
  return comment
    .replace(/^\/\*+|\*+\/$/g, '')
    .replace(/^\s*(\/\/|\*) ?/gm, '')
    .replace(/\s+/g, ' ')
    .trim()
}

/** Comments of a file with their places; lines of `//` that follow each other are one. */
function comments(text: string): { start: number; text: string }[] {
  const found: { start: number; end: number; text: string; line: boolean }[] = []
  const scanner = ts.createScanner(ts.ScriptTarget.Latest, false, ts.LanguageVariant.Standard, text)
  const templates: number[] = []
  for (let kind = scanner.scan(); kind !== ts.SyntaxKind.EndOfFileToken; kind = scanner.scan()) {
    // The scanner alone does not know where a template goes on, nor a slash that begins a regular expression.
    if (kind === ts.SyntaxKind.TemplateHead) templates.push(0)
    else if (kind === ts.SyntaxKind.OpenBraceToken && templates.length) templates[templates.length - 1]!++
    else if (kind === ts.SyntaxKind.CloseBraceToken && templates.length) {
      if (templates.at(-1)! > 0) templates[templates.length - 1]!--
      else if (scanner.reScanTemplateToken(false) === ts.SyntaxKind.TemplateTail) templates.pop()
    } else if (kind === ts.SyntaxKind.SlashToken || kind === ts.SyntaxKind.SlashEqualsToken) {
      const before = text.slice(0, scanner.getTokenStart()).trimEnd().at(-1) ?? ''
      if (!/[\w)\]]/.test(before)) scanner.reScanSlashToken()
    }
    const line = kind === ts.SyntaxKind.SingleLineCommentTrivia
    if (!line && kind !== ts.SyntaxKind.MultiLineCommentTrivia) continue
    const start = scanner.getTokenStart()
    const end = scanner.getTokenEnd()
    const last = found.at(-1)
    if (line && last?.line && /^\r?\n[ \t]*$/.test(text.slice(last.end, start))) {
      last.end = end
      last.text += `\n${text.slice(start, end)}`
    } else found.push({ start, end, text: text.slice(start, end), line })
  }
  return found
}

/** Exports that a file declares itself. */
const declared = /^export (?:async |abstract |default )*(?:function|class|interface|type|const|let|enum) /gm

/** True if a comment is the documentation of the declaration right below it. */
function isOfDeclaration(source: string, { start, text }: { start: number; text: string }): boolean {
  if (!text.startsWith('/**')) return false
  return /^\n(?:export |async |abstract )*(?:function|class|interface|type|const|let|enum) /.test(
    source.slice(start + text.length),
  )
}

/** The faults of one file. */
export function checkOpenings(file: string, text: string): Finding[] {
  const faults: Finding[] = []
  const source = text.replace(/^#!.*\n/, (bang) => `${' '.repeat(bang.length - 1)}\n`)
  const all = comments(source)
  const lineOf = (place: number) => source.slice(0, place).split('\n').length
  const first = all[0]
  const opening = first && source.slice(0, first.start).trim() === '' ? plain(first.text) : undefined
  if (opening === undefined)
    faults.push({ file, line: 1, fault: 'does not open with a sentence that says what it is' })
  else if (!/^[^.]*\S.*?[.:](\s|$)/.test(opening))
    faults.push({ file, line: 1, fault: `opens with what is no sentence: ${opening.slice(0, 60)}` })
  else if (isOfDeclaration(source, first!) && (source.match(declared)?.length ?? 0) > 1)
    faults.push({ file, line: 1, fault: 'opens with the comment of its first declaration' })
  for (const comment of all) {
    const words = plain(comment.text)
    if (/^biome-ignore|^@ts-|^#region/.test(words)) continue
    if (riddle.test(words))
      faults.push({
        file,
        line: lineOf(comment.start),
        fault: `a riddle before the noun: ${words.slice(0, 70)}`,
      })
  }
  return faults
}

/** Source files below a folder; a package that links to this project would lead round in circles. */
function filesBelow(project: string, folder: string): string[] {
  return readdirSync(join(project, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`
    if (entry.isDirectory()) return entry.name === 'node_modules' ? [] : filesBelow(project, path)
    return path.endsWith('.ts') && !left.test(path) ? [path] : []
  })
}

/** Checks every source file of a project. */
export function checkAllOpenings(project: string): { files: number; findings: Finding[] } {
  const files = folders.flatMap((folder) => filesBelow(project, folder))
  const findings = files.flatMap((file) => checkOpenings(file, readFileSync(join(project, file), 'utf8')))
  return { files: files.length, findings }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { files, findings } = checkAllOpenings(resolve(fileURLToPath(new URL('..', import.meta.url))))
  for (const { file, line, fault } of findings) console.error(`${file}:${line}: ${fault}`)
  console.log(`openings: ${files} files read, ${findings.length} faults`)
  if (files === 0 || findings.length > 0) process.exit(1)
}
