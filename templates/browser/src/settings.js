// Settings in a model's folder: the maximum length of a text and the pooling. If this page does not support a setting, it reports
// that, and the server embeds instead.

import { Fault } from './fault.js';

const SENTENCE_FILES = ['sentence_bert_config.json', 'sentence_roberta_config.json', 'sentence_distilbert_config.json',
  'sentence_camembert_config.json', 'sentence_albert_config.json', 'sentence_xlm-roberta_config.json', 'sentence_xlnet_config.json'];
const AT_FIRST = ['tokenizer_config.json', 'config.json', 'modules.json', 'config_sentence_transformers.json',
  '1_Pooling/config.json', 'chunks.json', 'selfcheck.json', ...SENTENCE_FILES];
const MODES = { mean: 'pooling_mode_mean_tokens', cls: 'pooling_mode_cls_token', max: 'pooling_mode_max_tokens' };
// Models whose position ids start after the padding id.
const BEHIND_PADDING = ['roberta', 'camembert', 'mpnet'];
const LONGEST_SAID = 1_000_000;

// The small files of a model, those that exist.
export function smallFiles(files) {
  return [files.has('tokens.json') ? 'tokens.json' : 'tokenizer.json', ...AT_FIRST].filter((path) => files.has(path));
}

// `documents`: path to parsed JSON.
export function settingsOf(documents) {
  const of = (path) => documents[path] ?? {};
  const config = of('config.json');
  return { longest: longest(config, documents), ...pooling(documents), lowercase: Boolean(sentence(documents).do_lower_case) };
}

const sentence = (documents) => SENTENCE_FILES.map((path) => documents[path]).find((one) => one && Object.keys(one).length) ?? {};

function longest(config, documents) {
  const behind = BEHIND_PADDING.some((kind) => config.model_type?.includes(kind));
  const first = behind ? (config.pad_token_id ?? 1) + 1 : 0;
  const positions = config.max_position_embeddings > 0 ? config.max_position_embeddings - first : undefined;
  const tokenizer = documents['tokenizer_config.json']?.model_max_length;
  const said = sentence(documents).max_seq_length ?? (tokenizer <= LONGEST_SAID ? tokenizer : undefined);
  return Math.min(said ?? positions ?? 512, positions ?? Infinity);
}

function pooling(documents) {
  const modules = documents['modules.json'] ?? [];
  const classes = modules.map(({ type }) => type.split('.').pop());
  const other = classes.find((name) => !['Transformer', 'Pooling', 'Normalize'].includes(name));
  if (other) throw unsupported(`its module ${other}`);
  if (documents['config_sentence_transformers.json']?.default_prompt_name) throw unsupported('its default prompt');
  const config = documents['1_Pooling/config.json'];
  if (!config) throw unsupported('a model without 1_Pooling/config.json');
  const modes = config.pooling_mode ? [config.pooling_mode].flat() : flags(config);
  if (modes.length !== 1 || !MODES[modes[0]]) throw unsupported(`the pooling ${modes.join(' + ')}`);
  return { mode: modes[0], normalize: classes.includes('Normalize') };
}

function flags(config) {
  return Object.keys(config).filter((key) => key.startsWith('pooling_mode_') && config[key] === true)
    .map((key) => Object.keys(MODES).find((mode) => MODES[mode] === key) ?? key);
}

function unsupported(what) {
  return new Fault('UNSUPPORTED_MODEL', `This page cannot apply ${what}.`, 'the server embeds instead');
}
