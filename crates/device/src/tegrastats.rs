//! Parses one line of `tegrastats`. Its fields differ by board and release; missing ones stay unknown.

use std::collections::BTreeMap;

use serde::Serialize;

use super::channel::ScriptOutput;
use super::script::lines;
use crate::resource::syntax_check;

/// Prints one line of it. It runs until it is stopped.
pub const SCRIPT: &str = r#"
if command -v tegrastats >/dev/null 2>&1; then
  sample=$(timeout 5 tegrastats --interval 500 2>/dev/null | head -n 1)
  echo "tegrastats=$sample"
fi
:
"#;

/// Sensors of parts that are switched off say -256.
const NO_SENSOR: f64 = -200.0;

/// More than any board has.
const MOST_CPUS: usize = 1024;

/// What a device is busy with.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct DeviceLoad {
    /// Load of the GPU in percent; JetPack 7 does not say it on every board.
    pub gpu_percent: Option<u8>,
    /// Load of the CPUs in percent, over those that are on.
    pub cpu_percent: Option<u8>,
    /// Memory in use in MiB.
    pub ram_used_mib: Option<u64>,
    /// Memory in MiB.
    pub ram_mib: Option<u64>,
    /// Temperatures in °C by sensor, in lower case.
    pub temperatures: BTreeMap<String, f64>,
    /// Power that the whole device takes, in mW.
    pub power_mw: Option<u64>,
}

impl DeviceLoad {
    /// From what a device answered to [`SCRIPT`]; none when no message.
    pub fn of(reply: &ScriptOutput) -> Option<Self> {
        lines(&reply.output).get("tegrastats").and_then(|line| Self::read(line))
    }

    /// From one line; none when it is not a line of tegrastats.
    pub fn read(line: &str) -> Option<Self> {
        let all: Vec<&str> = line.split_whitespace().collect();
        let after = |name: &str| all.iter().position(|word| *word == name).and_then(|at| all.get(at + 1)).copied();
        let (used, most) = after("RAM")?.trim_end_matches("MB").split_once('/')?;
        Some(Self {
            gpu_percent: after("GR3D_FREQ").or_else(|| after("GR3D")).and_then(percent),
            cpu_percent: after("CPU").and_then(cpus),
            ram_used_mib: used.parse().ok(),
            ram_mib: most.parse().ok(),
            temperatures: all.iter().filter_map(|word| temperature(word)).take(MOST_CPUS).collect(),
            power_mw: power(&all),
        })
    }

    /// The hottest sensor.
    pub fn hottest(&self) -> Option<f64> {
        self.temperatures.values().copied().reduce(f64::max)
    }
}

/// Names of the rail that the whole device takes its power from, by board. AGX boards have none: there, it is the sum of the rails
/// (NVIDIA's Jetson Linux guide, "Software-Based Power Consumption Modeling"); `VIN_SYS_5V0` is one of them.
const TOTALS: [&str; 3] = ["VDD_IN", "VIN", "POM_5V_IN"];

/// What the whole device takes now, in mW.
fn power(all: &[&str]) -> Option<u64> {
    let rails = all.windows(2).filter_map(|pair| Some((*pair.first()?, rail(pair.get(1)?)?)));
    let rails: Vec<(&str, u64)> = rails.filter(|(name, _)| syntax_check::power_mode(name)).take(MOST_CPUS).collect();
    let total = TOTALS.iter().find_map(|total| rails.iter().find(|(name, _)| name == total));
    match total {
        Some((_, power)) => Some(*power),
        // One rail alone is a part of the device, never all of it.
        None if rails.len() < 2 => None,
        None => rails.iter().map(|(_, power)| *power).reduce(u64::saturating_add),
    }
}

/// The first number of `4835mW/4700mW`, or of `3528/3569`, as JetPack 4 writes it: what a rail gives now.
fn rail(value: &str) -> Option<u64> {
    let mut numbers = value.split('/').map(|part| part.strip_suffix("mW").unwrap_or(part).parse::<u64>());
    let now = numbers.next()?.ok()?;
    // Another number has to follow: `APE 174` is a clock. Megabytes are not number here.
    (numbers.next()?.is_ok() && numbers.all(|more| more.is_ok())).then_some(now)
}

/// `13%@305`, `0%@[0,0]`, `5%`; none of `@[314,314]`, which has no load.
fn percent(field: &str) -> Option<u8> {
    field.split_once('%')?.0.parse().ok().filter(|value| *value <= 100)
}

/// `[2%@729,off,0%@729]` or `[2%,off]@729`.
fn cpus(field: &str) -> Option<u8> {
    let inside = field.strip_prefix('[')?.split(']').next()?;
    let on: Vec<u32> = inside.split(',').take(MOST_CPUS).filter_map(percent).map(u32::from).collect();
    let count = u32::try_from(on.len()).ok().filter(|count| *count > 0)?;
    u8::try_from(on.iter().sum::<u32>() / count).ok()
}

/// `gpu@47.5C`, `GPU@48C`, `cpu@58.25C/61.75C`.
fn temperature(word: &str) -> Option<(String, f64)> {
    let (name, value) = word.split_once('@')?;
    let degrees: f64 = value.split('/').next()?.strip_suffix('C')?.parse().ok()?;
    // JetPack says a constant for the chip that makes the voltages.
    if name.eq_ignore_ascii_case("PMIC") {
        return None;
    }
    // A name is letters and digits: it is shown.
    (degrees > NO_SENSOR && degrees.is_finite() && syntax_check::power_mode(name))
        .then(|| (name.to_lowercase(), degrees))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> DeviceLoad {
        DeviceLoad::read(line).expect("a line of tegrastats")
    }

    #[test]
    fn jetpack_5_on_xavier() {
        let load = read(
            "07-09-2024 13:31:31 RAM 3168/6851MB (lfb 2x4MB) SWAP 161/3426MB (cached 0MB) CPU [23%@1397,17%@1192,16%@1190,13%@1190,23%@1190,10%@1190] EMC_FREQ 2%@204 GR3D_FREQ 0%@[114] VIC_FREQ 115 APE 150 AUX@45C CPU@46.5C thermal@45.6C AO@45C GPU@45.5C PMIC@50C VDD_IN 2763mW/2846mW VDD_CPU_GPU_CV 650mW/670mW VDD_SOC 650mW/711mW",
        );
        assert_eq!((load.gpu_percent, load.cpu_percent), (Some(0), Some(17)));
        assert_eq!((load.ram_used_mib, load.ram_mib, load.power_mw), (Some(3168), Some(6851), Some(2763)));
        assert_eq!(load.temperatures.get("gpu"), Some(&45.5));
        assert_eq!(load.hottest(), Some(46.5));
    }

    #[test]
    fn jetpack_6_on_orin_nano() {
        let load = read(
            "10-08-2026 04:38:21 RAM 1343/7620MB (lfb 157x4MB) SWAP 165/3810MB (cached 3MB) CPU [0%@1497,0%@729,0%@729,0%@729,off,off] EMC_FREQ 15%@204 GR3D_FREQ 99%@[305] NVDEC off NVJPG off VIC off OFA off APE 200 cpu@48.562C soc2@46.593C soc0@48.625C gpu@49.625C tj@49.312C soc1@47.937C VDD_IN 5251mW/8535mW VDD_CPU_GPU_CV 512mW/1944mW VDD_SOC 2720mW/3659mW",
        );
        assert_eq!((load.gpu_percent, load.cpu_percent, load.power_mw), (Some(99), Some(0), Some(5251)));
        assert_eq!(load.hottest(), Some(49.625));
    }

    #[test]
    fn sensors_that_are_off_do_not_count() {
        let load = read(
            "04-11-2025 10:36:27 RAM 4321/62801MB (lfb 1759x4MB) SWAP 19/31400MB (cached 0MB) CPU [0%@729,0%@729] EMC_FREQ 0%@2133 GR3D_FREQ 0%@[0,0] VIC_FREQ 729 APE 174 CV0@-256C CPU@44.562C Tboard@32C GPU@-256C tj@44.343C VDD_GPU_SOC 2340mW/2340mW VIN_SYS_5V0 4025mW/4025mW NC 0mW/0mW",
        );
        assert_eq!(load.gpu_percent, Some(0));
        assert_eq!((load.temperatures.get("gpu"), load.hottest()), (None, Some(44.562)));
        assert_eq!(load.power_mw, Some(2340 + 4025));
    }

    #[test]
    fn the_power_of_a_board_is_its_total_or_the_sum_of_its_rails() {
        for (board, power, gpu, hottest, line) in [
            (
                "AGX Orin",
                17_388,
                Some(78),
                57.593,
                "RAM 6421/30536MB (lfb 3x4MB) SWAP 0/15268MB (cached 0MB) CPU [24%@2201,18%@2201,off,9%@2201] EMC_FREQ 31%@3199 GR3D_FREQ 78%@[1300] NVDEC off NVJPG off VIC off OFA off APE 174 CV0@-256C CPU@57.593C SOC2@54.906C GPU@56.125C tj@57.593C VDD_GPU_SOC 9431mW/8102mW VDD_CPU_CV 3122mW/2900mW VIN_SYS_5V0 4835mW/4700mW",
            ),
            (
                "Orin Nano",
                7812,
                Some(99),
                62.0,
                "RAM 3479/7620MB SWAP 43/3810MB CPU [32%@1510,28%@1510,31%@1510,30%@1510] EMC_FREQ 44%@2133 GR3D_FREQ 99%@918 VDD_IN 7812mW/7001mW cpu@62.0C gpu@61.5C",
            ),
            (
                "Xavier NX, JetPack 4",
                3528,
                Some(0),
                33.0,
                "RAM 2387/7774MB (lfb 961x4MB) SWAP 0/3887MB (cached 0MB) CPU [14%@1190,9%@1190,2%@1190,4%@1190,0%@1190,1%@1344] EMC_FREQ 1%@1600 GR3D_FREQ 0%@114 VIC_FREQ 0%@115 APE 150 MTS fg 0% bg 3% AO@31C GPU@31.5C PMIC@100C AUX@31.5C CPU@33C thermal@31.95C VDD_IN 3528/3569 VDD_CPU_GPU_CV 410/426 VDD_SOC 1107/1115",
            ),
            (
                "Nano, JetPack 4",
                900,
                Some(0),
                46.0,
                "RAM 613/3964MB (lfb 634x4MB) SWAP 0/1982MB (cached 0MB) CPU [2%@102,1%@102,0%@102,0%@102] EMC_FREQ 0% GR3D_FREQ 0% PLL@39C CPU@40.5C PMIC@100C GPU@41C AO@46C thermal@41C POM_5V_IN 900/943 POM_5V_GPU 0/0 POM_5V_CPU 123/123",
            ),
            (
                "Thor, JetPack 7",
                26_686,
                None,
                39.906,
                "RAM 86905/125772MB (lfb 368x4MB) CPU [12%@972,10%@972,off,33%@1890] cpu@39.812C tj@39.906C soc012@38.812C gpu@39.906C soc345@38.625C VDD_GPU 3561mW/3561mW VDD_CPU_SOC_MSS 7910mW/7910mW VIN_SYS_5V0 7620mW/7620mW VIN 26686mW/26686mW",
            ),
            (
                "AGX Xavier, JetPack 4",
                2951,
                Some(0),
                38.5,
                "RAM 2041/31925MB (lfb 6912x4MB) CPU [1%@1190,0%@1190] EMC_FREQ 0% GR3D_FREQ 0% AO@36.5C GPU@37C CPU@38.5C PMIC@100C GPU 0/0 CPU 311/311 SOC 932/932 CV 0/0 VDDRQ 155/155 SYS5V 1553/1553",
            ),
        ] {
            let load = read(line);
            assert_eq!((load.power_mw, load.gpu_percent), (Some(power), gpu), "{board}");
            assert_eq!(load.hottest(), Some(hottest), "{board}");
        }
        assert_eq!(read("RAM 1/2MB VDD_GPU 500mW/500mW").power_mw, None, "one rail is not the device");
    }

    #[test]
    fn jetpack_7_does_not_always_say_the_load() {
        let without = read(
            "07-02-2026 13:45:44 RAM 36529/125749MB (lfb 12x4MB) SWAP 11/4096MB (cached 9MB) CPU [2%@972,1%@972] cpu@60.406C tj@63.281C soc012@58.468C gpu@62.906C soc345@63.281C VDD_GPU 37528mW/37528mW/37528mW VIN_SYS_5V0 18331mW/18331mW/18331mW VIN 87426mW/43713mW/87426mW",
        );
        assert_eq!((without.gpu_percent, without.power_mw), (None, Some(87426)));
        let clocks = read(
            "08-08-2026 20:58:23 RAM 3429/125749MB (lfb 120x4MB) CPU [0%,5%,off]@2601 EMC_FREQ @4266 GR3D_FREQ @[1574,1574,1574] cpu@49.75C/49.75C tj@51.218C/51.218C gpu@51.218C/51.218C VDD_GPU 6330mW/6330mW/6330mW VIN 28906mW/14453mW/28906mW",
        );
        assert_eq!((clocks.gpu_percent, clocks.cpu_percent), (None, Some(2)));
        assert_eq!(clocks.temperatures.get("gpu"), Some(&51.218));
        let orin = read(
            "07-25-2026 09:08:28 RAM 20642/62817MB (lfb 1x2MB) CPU [23%@2201,10%@2201] EMC_FREQ 3%@3199 GR3D_FREQ 7%@[1300,1300] NVENC0 off NVDEC0 off APE 174 cpu@52.968C/52.968C",
        );
        assert_eq!(orin.gpu_percent, Some(7));
    }

    #[test]
    fn other_text_is_no_line() {
        for other in ["", "tegrastats: command not found", "RAM", "RAM x", "RAM 1/2MB CPU [%@,] GR3D_FREQ 900%"] {
            let load = DeviceLoad::read(other);
            assert!(load.is_none_or(|load| load.gpu_percent.is_none() && load.cpu_percent.is_none()), "{other}");
        }
    }
}
