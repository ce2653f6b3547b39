// SPDX-License-Identifier: GPL-2.0-only
/*
 * orin_nodes - stand-ins for the Tegra234 sysfs and debugfs nodes a Jetson profiler reads.
 *
 *   /sys/devices/platform/bus@0/17000000.gpu/{load,counters,is_railgated}   formats of nvgpu's sysfs
 *   /sys/class/devfreq/{17000000.gpu,15340000.vic,154c0000.nvenc}   the kernel's own devfreq core
 *   /sys/kernel/debug/cactmon/{mc_all,sample_period_usec}   simple attributes, as in tegra-cactmon-mc-all
 *   /sys/kernel/debug/clk/emc/                              a real clock in the common clock framework
 *   /sys/kernel/debug/bpmp/debug/clk/emc/rate               a single_open() seq_file, as in bpmp-debugfs
 *
 * Every value is a writable module parameter: /sys/module/orin_nodes/parameters/. The module cannot be unloaded.
 */
#include <linux/clk.h>
#include <linux/clk-provider.h>
#include <linux/debugfs.h>
#include <linux/devfreq.h>
#include <linux/hwmon.h>
#include <linux/module.h>
#include <linux/of_device.h>
#include <linux/platform_device.h>
#include <linux/pm_opp.h>
#include <linux/seq_file.h>
#include "spend.h"

/* ---- GPU: load and idle counters ---- */
static DEFINE_MUTEX(gpu_lock);
static unsigned int gpu_load, gpu_delay_us = 320, counter_hz = 204000000;
static bool gpu_railgated;
static u64 busy, total;		/* cycles; the files show 31 bits, like the PMU's idle counters */
static ktime_t counted_to;

static void count_up(void)	/* under gpu_lock: bring the counters up to now */
{
	ktime_t now = ktime_get();
	u64 d = mul_u64_u32_div(ktime_to_ns(ktime_sub(now, counted_to)), counter_hz, NSEC_PER_SEC);

	counted_to = now;
	if (gpu_railgated) {
		busy = total = 0;
		return;
	}
	total += d;
	busy += mul_u64_u32_div(d, gpu_load, 1000);
}

static int set_load(const char *s, const struct kernel_param *kp)
{
	unsigned int v;
	int err = kstrtouint(s, 0, &v);

	if (err || v > 1000)
		return err ?: -EINVAL;
	mutex_lock(&gpu_lock);
	count_up();
	gpu_load = v;
	mutex_unlock(&gpu_lock);
	return 0;
}

static int set_railgated(const char *s, const struct kernel_param *kp)
{
	int err;

	mutex_lock(&gpu_lock);
	count_up();
	err = param_set_bool(s, kp);
	mutex_unlock(&gpu_lock);
	return err;
}
static const struct kernel_param_ops load_ops = { .set = set_load, .get = param_get_uint };
static const struct kernel_param_ops railgated_ops = { .set = set_railgated, .get = param_get_bool };
module_param_cb(gpu_load, &load_ops, &gpu_load, 0644);
module_param_cb(gpu_railgated, &railgated_ops, &gpu_railgated, 0644);
module_param(gpu_delay_us, uint, 0644);
MODULE_PARM_DESC(gpu_delay_us, "what a read of load or counters takes");
module_param(counter_hz, uint, 0644);

static ssize_t load_show(struct device *dev, struct device_attribute *a, char *buf)
{
	if (gpu_railgated)	/* nvgpu does not wake the GPU for this */
		return sprintf(buf, "0\n");
	spend(gpu_delay_us);
	return sprintf(buf, "%u\n", gpu_load);
}
static DEVICE_ATTR_RO(load);

static ssize_t counters_show(struct device *dev, struct device_attribute *a, char *buf)
{
	ssize_t n;

	if (!gpu_railgated)
		spend(gpu_delay_us);
	mutex_lock(&gpu_lock);
	count_up();
	n = sprintf(buf, "%u %u\n", (u32)busy & 0x7fffffff, (u32)total & 0x7fffffff);
	mutex_unlock(&gpu_lock);
	return n;
}
static DEVICE_ATTR_RO(counters);

static ssize_t is_railgated_show(struct device *dev, struct device_attribute *a, char *buf)
{
	return sprintf(buf, "%s\n", gpu_railgated ? "yes" : "no");
}
static DEVICE_ATTR_RO(is_railgated);

static struct attribute *gpu_attrs[] = {
	&dev_attr_load.attr, &dev_attr_counters.attr, &dev_attr_is_railgated.attr, NULL
};
ATTRIBUTE_GROUPS(gpu);

/* ---- devfreq: GPU and engines, with the userspace governor ---- */
static unsigned long gpu_freq_hz = 306000000, vic_freq_hz = 115200000, nvenc_freq_hz = 115200000;

struct unit {
	unsigned long *cur;
	unsigned long steps[5];
	struct devfreq_dev_profile profile;
	struct devfreq *df;
};
static int unit_get(struct device *dev, unsigned long *f)
{
	*f = *((struct unit *)dev_get_drvdata(dev))->cur;
	return 0;
}
static int unit_target(struct device *dev, unsigned long *f, u32 flags)
{
	*((struct unit *)dev_get_drvdata(dev))->cur = *f;
	return 0;
}
static struct unit gpu_unit = { &gpu_freq_hz, { 306000000, 612000000, 918000000, 1020000000, 1300500000 } };
static struct unit vic_unit = { &vic_freq_hz, { 115200000, 435200000, 729600000 } };
static struct unit nvenc_unit = { &nvenc_freq_hz, { 115200000, 435200000, 793600000 } };

static int unit_probe(struct platform_device *pdev)
{
	struct unit *u = (void *)of_device_get_match_data(&pdev->dev);
	int i;

	platform_set_drvdata(pdev, u);
	for (i = 0; i < ARRAY_SIZE(u->steps) && u->steps[i]; i++)
		dev_pm_opp_add(&pdev->dev, u->steps[i], 0);
	u->profile = (struct devfreq_dev_profile){
		.initial_freq = *u->cur, .target = unit_target, .get_cur_freq = unit_get };
	u->df = devfreq_add_device(&pdev->dev, &u->profile, DEVFREQ_GOV_USERSPACE, NULL);
	if (IS_ERR(u->df)) {
		dev_err(&pdev->dev, "no devfreq: %ld\n", PTR_ERR(u->df));
		u->df = NULL;
	}
	return u == &gpu_unit ? sysfs_create_groups(&pdev->dev.kobj, gpu_groups) : 0;
}
static int unit_remove(struct platform_device *pdev)
{
	struct unit *u = platform_get_drvdata(pdev);

	if (u == &gpu_unit)
		sysfs_remove_groups(&pdev->dev.kobj, gpu_groups);
	if (u->df)
		devfreq_remove_device(u->df);
	dev_pm_opp_remove_all_dynamic(&pdev->dev);
	return 0;
}
static const struct of_device_id unit_of[] = {
	{ "", "", "nvidia,ga10b", &gpu_unit }, { "", "", "nvidia,tegra234-vic", &vic_unit },
	{ "", "", "nvidia,tegra234-nvenc", &nvenc_unit }, {}
};
static struct platform_driver unit_driver = {
	.probe = unit_probe, .remove = unit_remove,
	.driver = { .name = "orin_nodes", .of_match_table = unit_of },
};

/* ---- EMC: activity monitor, clock, BPMP debug file ---- */
static u64 mc_all;		/* kHz of active EMC clock */
static unsigned int sample_period_usec = 1000, bpmp_delay_us;
static unsigned long emc_rate_hz = 204000000, bpmp_rate_hz;
static struct clk *emc_clk;
module_param(mc_all, ullong, 0644);
module_param(sample_period_usec, uint, 0644);
module_param(bpmp_delay_us, uint, 0644);
module_param(bpmp_rate_hz, ulong, 0644);
MODULE_PARM_DESC(bpmp_rate_hz, "what bpmp/debug/clk/emc/rate says; 0: the same as clk/emc/clk_rate");

static unsigned long emc_recalc(struct clk_hw *hw, unsigned long parent) { return emc_rate_hz; }
static long emc_round(struct clk_hw *hw, unsigned long rate, unsigned long *parent) { return rate; }
static int emc_set(struct clk_hw *hw, unsigned long rate, unsigned long parent)
{
	emc_rate_hz = rate;
	return 0;
}
static const struct clk_ops emc_ops = { .recalc_rate = emc_recalc, .round_rate = emc_round, .set_rate = emc_set };
static struct clk_hw emc_hw = { .init = CLK_HW_INIT_NO_PARENT("emc", &emc_ops, CLK_GET_RATE_NOCACHE) };

static int set_emc_rate(const char *s, const struct kernel_param *kp)
{
	unsigned long v;
	int err = kstrtoul(s, 0, &v);

	if (err)
		return err;
	if (emc_clk)
		return clk_set_rate(emc_clk, v);
	emc_rate_hz = v;
	return 0;
}
static const struct kernel_param_ops emc_rate_ops = { .set = set_emc_rate, .get = param_get_ulong };
module_param_cb(emc_rate_hz, &emc_rate_ops, &emc_rate_hz, 0644);

static int mc_all_get(void *data, u64 *val) { *val = mc_all; return 0; }
static int period_get(void *data, u64 *val) { *val = sample_period_usec; return 0; }
DEFINE_SIMPLE_ATTRIBUTE(mc_all_fops, mc_all_get, NULL, "%lld\n");
DEFINE_SIMPLE_ATTRIBUTE(period_fops, period_get, NULL, "%lld\n");

static int bpmp_show(struct seq_file *m, void *p)
{
	spend(bpmp_delay_us);
	seq_printf(m, "%lu\n", bpmp_rate_hz ?: emc_rate_hz);
	return 0;
}
static int bpmp_open(struct inode *inode, struct file *file) { return single_open(file, bpmp_show, NULL); }
static const struct file_operations bpmp_fops = {
	.owner = THIS_MODULE, .open = bpmp_open, .read = seq_read, .llseek = seq_lseek, .release = single_release,
};

/* ---- other hwmon devices, registered first so that the INA3221s do not get number 0 ---- */
static unsigned int hwmon_first = 3;
module_param(hwmon_first, uint, 0444);

static int __init nodes_init(void)
{
	struct dentry *cactmon, *d;
	int i, err;

	counted_to = ktime_get();
	err = platform_driver_register(&unit_driver);
	if (err)
		return err;
	err = clk_hw_register(NULL, &emc_hw);
	if (err) {
		platform_driver_unregister(&unit_driver);
		return err;
	}
	emc_clk = clk_hw_get_clk(&emc_hw, "orin_nodes");
	if (IS_ERR(emc_clk))
		emc_clk = NULL;
	cactmon = debugfs_create_dir("cactmon", NULL);
	debugfs_create_file("sample_period_usec", 0444, cactmon, NULL, &period_fops);
	debugfs_create_file("mc_all", 0444, cactmon, NULL, &mc_all_fops);
	d = debugfs_create_dir("debug", debugfs_create_dir("bpmp", NULL));
	d = debugfs_create_dir("emc", debugfs_create_dir("clk", d));
	debugfs_create_file("rate", 0444, d, NULL, &bpmp_fops);
	for (i = 0; i < hwmon_first; i++)
		hwmon_device_register_with_groups(NULL, "other", NULL, NULL);
	return 0;
}
module_init(nodes_init);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Virtual Orin: GPU, EMC and engine nodes");
