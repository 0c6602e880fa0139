/** JSON Schemas of capabilities, checked with ajv: drafts 7 and 2020-12. The compiler is loaded when the first schema comes. */
import type { Ajv, ErrorObject } from 'ajv'
import { LRUCache } from 'lru-cache'
import type { JsonSchema } from '../core/capability.ts'
import { A2aError, messageOf } from '../core/errors.ts'

/** `undefined`: the value fits. Otherwise one line that names the place (a JSON Pointer, RFC 6901) and what is wrong there. */
export type SchemaCheck = (value: unknown) => string | undefined

/** A larger schema is refused. */
export const MAX_SCHEMA_BYTES = 256 * 1024
/** Checks kept at hand. The one used longest ago is dropped, and compiled again when it is needed. */
const MAX_CHECKS = 256
const MAX_LINE = 300

const DRAFTS: Record<string, 'draft-07' | '2020-12'> = {
  'http://json-schema.org/draft-07/schema': 'draft-07',
  'https://json-schema.org/draft-07/schema': 'draft-07',
  'https://json-schema.org/draft/2020-12/schema': '2020-12'
}

/** Compiling the schema of schemas takes 20 ms: once per draft. */
const grammars: Partial<Record<'draft-07' | '2020-12', Ajv>> = {}
const checks = new LRUCache<string, Promise<SchemaCheck>>({ max: MAX_CHECKS })

/**
 * Makes a check of a schema, once for equal schemas. Without `$schema` it is read as draft 2020-12. `format` is taken
 * as a remark, as the draft says by default.
 *
 * @throws A2aError BAD_USAGE when it is no JSON Schema, or larger than 256 KiB
 */
export function compileSchema (schema: JsonSchema): Promise<SchemaCheck> {
  const text = textOf(schema)
  const known = checks.get(text)
  if (known !== undefined) return known
  const check = compile(JSON.parse(text) as JsonSchema)
  checks.set(text, check)
  check.catch(() => checks.delete(text))
  return check
}

async function compile (schema: JsonSchema): Promise<SchemaCheck> {
  const named = schema.$schema ?? 'https://json-schema.org/draft/2020-12/schema'
  const draft = DRAFTS[String(named).replace(/#$/, '')]
  if (draft === undefined) throw noSchema(`its $schema ${JSON.stringify(named)} is none of draft 7 and 2020-12`)
  if (schema.$async === true) throw noSchema('$async is no part of JSON Schema')
  // CommonJS: bundled, it has a default export only.
  const Ajv = draft === 'draft-07' ? (await import('ajv')).default.Ajv : (await import('ajv/dist/2020.js')).default.Ajv2020
  const options = { strict: false, validateFormats: false, logger: false } as const
  const grammar = grammars[draft] ??= new Ajv(options)
  // An instance keeps every $id it has seen, so each schema gets its own: two may share an $id.
  const ajv = new Ajv({ ...options, validateSchema: false })
  try {
    if (grammar.validateSchema(schema) !== true) throw new Error(lineOf(grammar.errors?.[0]))
    const validate = ajv.compile(schema)
    return value => validate(value) ? undefined : lineOf(validate.errors?.[0])
  } catch (error) {
    throw noSchema(messageOf(error), error)
  }
}

function textOf (schema: JsonSchema): string {
  if (typeof schema !== 'object' || schema === null || Array.isArray(schema)) throw noSchema('it is not an object')
  let text: string
  try {
    text = JSON.stringify(schema)
  } catch (error) {
    throw noSchema(messageOf(error), error)
  }
  if (Buffer.byteLength(text) > MAX_SCHEMA_BYTES) throw noSchema(`it has more than ${MAX_SCHEMA_BYTES} bytes`)
  return text
}

function lineOf (error: ErrorObject | undefined): string {
  if (error === undefined) return 'it does not fit'
  const { instancePath, keyword, message, params } = error
  const where = instancePath === '' ? 'the value' : instancePath
  const detail =
    keyword === 'additionalProperties' ? `: ${JSON.stringify(params.additionalProperty)}`
    : keyword === 'unevaluatedProperties' ? `: ${JSON.stringify(params.unevaluatedProperty)}`
    : keyword === 'enum' ? `: ${JSON.stringify(params.allowedValues)}`
    : keyword === 'const' ? `: ${JSON.stringify(params.allowedValue)}`
    : ''
  const line = `${where} ${message ?? 'does not fit'}${detail}`
  return line.length > MAX_LINE ? `${line.slice(0, MAX_LINE)}…` : line
}

const noSchema = (why: string, cause?: unknown): A2aError =>
  new A2aError({ code: 'BAD_USAGE', why: `this is no JSON Schema: ${why}` }, { cause })
