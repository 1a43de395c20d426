import { z } from 'zod'
import { nearestName } from '../settings/reading/near-name.ts'

/** Longest short description the catalog shows, in characters. */
export const maxShortDescription = 200

// Lists from the connectors repository,
// shared/tools/composer/generate_manifest_fragment/connector_manifest_schema.json.
const useCases = [
  'Adversary & Campaign Insights',
  'Vulnerability & Exploit Awareness',
  'Infrastructure & Attack Surface Visibility',
  'Detection & Response Enablement',
  'Fraud, Financial Crime & Cryptocurrency Monitoring',
  'Brand, Digital Risk & Underground Exposure',
  'Third-Party & Supply Chain Oversight',
  'Cloud, SaaS & Platform Security',
  'Geopolitical, Physical & Hybrid Risk Analysis',
  'Market Vertical & Mission-Specific Intelligence',
  'FIMI & Disinformation',
  'Other',
]

const solutionCategories = [
  'Threat Intelligence Feed',
  'Endpoint Detection & Response',
  'SIEM & Security Analytics',
  'Malware Analysis & Sandbox',
  'SOAR & Security Automation',
  'Vulnerability & Exposure Management',
  'Attack Surface Management',
  'Network Security',
  'Email Security',
  'AI Security',
  'Incident Response & Case Management',
  'Digital Risk Protection',
  'Governance, Risk & Compliance',
  'Cloud Security',
  'Enrichment & Reputation',
  'Import, Export & Sharing',
  'Other',
]

const text = z.string('must be text').trim().min(1, 'must not be empty')
const textOrNull = z.string('must be text or null').nullable()
const flag = z.boolean('must be true or false')

const rules: Readonly<Record<string, z.ZodType>> = {
  title: text,
  slug: text.regex(
    /^[a-z0-9]+(?:-[a-z0-9]+)*$/,
    'must consist of lowercase letters and digits, separated by dashes',
  ),
  description: text,
  short_description: text.max(maxShortDescription, `must have at most ${maxShortDescription} characters`),
  logo: textOrNull,
  use_cases: someOf(useCases),
  solution_categories: someOf(solutionCategories),
  license_type: oneOf(['Free', 'Commercial'], z.literal('')),
  contact: textOrNull,
  verified: flag,
  last_verified_date: z.iso.date('must be a date such as 2026-01-31, or null').nullable(),
  playbook_supported: flag,
  max_confidence_level: z
    .int('must be a whole number')
    .min(0, 'must be 0 or more')
    .max(100, 'must be 100 or less'),
  support_version: text.regex(/\d\.\d/, 'must be an OpenCTI version, such as >=6.8.0'),
  subscription_link: z.union([z.literal(''), z.url()], 'must be a URL or null').nullable(),
  source_code: z.url('must be the URL of the source code'),
  manager_supported: flag,
  container_version: text,
  container_image: text.regex(
    /^[a-z0-9]+(?:[._/-]+[a-z0-9]+)*$/,
    'must be the name of an image in lowercase, without a tag, such as acme/siem',
  ),
}

/**
 * What OpenCTI's catalog would reject in a manifest, one sentence each.
 *
 * @param isOpen whether a value still needs to be filled in.
 */
export function manifestProblems(
  manifest: Readonly<Record<string, unknown>>,
  isOpen: (value: unknown) => boolean,
): readonly string[] {
  return Object.entries(rules).flatMap(([field, rule]) => {
    const value = manifest[field]
    if (isOpen(value)) return []
    const messages = rule.safeParse(value).error?.issues.map(({ message }) => message) ?? []
    return [...new Set(messages)].map((message) => `${field} ${message}.`)
  })
}

/** One to three of these names. Errors suggest the likely intended one. */
function someOf(names: readonly string[]): z.ZodType {
  return z
    .array(oneOf(names), 'must be a list')
    .min(1, 'must have at least one item')
    .max(3, 'must have at most three items')
    .refine((items) => new Set(items).size === items.length, 'must not repeat items')
}

function oneOf(names: readonly string[], other?: z.ZodType): z.ZodType {
  return z.unknown().superRefine((value, context) => {
    if (names.includes(value as string) || other?.safeParse(value).success === true) return
    const near = typeof value === 'string' ? nearestName(value, names) : undefined
    const known = `${names.join('; ')}${other === undefined ? '' : '; or empty'}`
    const meant =
      near === undefined
        ? `must be one of: ${known}`
        : `must be in the official list. Did you mean "${near}"? Allowed: ${known}`
    context.addIssue({ code: 'custom', message: meant })
  })
}
