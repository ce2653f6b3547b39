// SPDX-License-Identifier: GPL-2.0-only
/*
 * orin_zones - thermal zones in the kernel's thermal core; temperatures come from a writable module parameter.
 *   insmod orin_zones.ko zones=cpu-thermal,gpu-thermal,cv0-thermal temps=45000,44000,-11
 *   echo 50000,44000,39000 > /sys/module/orin_zones/parameters/temps
 * A negative number is an error: -11 is -EAGAIN, which tegra-bpmp-thermal gives for a power-gated domain.
 */
#include <linux/module.h>
#include <linux/thermal.h>
#include "spend.h"
#define MAXZ 16
static char *zones[MAXZ];
static int nzones;
module_param_array(zones, charp, &nzones, 0444);
static int temps[MAXZ], ntemps;
module_param_array(temps, int, &ntemps, 0644);
static unsigned int delay_us = 80;
module_param(delay_us, uint, 0644);
MODULE_PARM_DESC(delay_us, "what a temperature read takes");
/*
 * Kernels from 2025 on, and their stable branches (so Debian's 6.1 too), turn -EAGAIN into -ENODATA in temp_show();
 * Jetson's 5.15 does not. raw_eagain=1 puts a "temp" file of our own in the zone, without that translation.
 */
static bool raw_eagain;
module_param(raw_eagain, bool, 0444);
static struct thermal_zone_params tzp[MAXZ];
static struct thermal_zone_device *tz[MAXZ];

static int get_temp(struct thermal_zone_device *z, int *t)
{
	int v;

	spend(delay_us);
	v = temps[(long)z->devdata];
	if (v < 0 && v > -4096)
		return v;
	*t = v;
	return 0;
}

static ssize_t raw_show(struct device *d, struct device_attribute *a, char *buf)
{
	struct thermal_zone_device *z = container_of(d, struct thermal_zone_device, device);
	int t, err;

	mutex_lock(&z->lock);	/* as thermal_zone_get_temp() does: reads of one zone take turns */
	err = get_temp(z, &t);
	mutex_unlock(&z->lock);
	return err ?: sprintf(buf, "%d\n", t);
}
static struct device_attribute raw_temp = __ATTR(temp, 0444, raw_show, NULL);
static struct thermal_zone_device_ops ops = { .get_temp = get_temp };

static int __init zones_init(void)
{
	long i;

	for (i = 0; i < nzones; i++) {
		tzp[i].no_hwmon = true;	/* on Jetson's 5.15 these zones have no hwmon twin */
		tz[i] = thermal_zone_device_register(zones[i], 0, 0, (void *)i, &ops, &tzp[i], 0, 0);
		if (IS_ERR(tz[i])) {
			pr_err("orin_zones: %s: %ld\n", zones[i], PTR_ERR(tz[i]));
			tz[i] = NULL;
			continue;
		}
		thermal_zone_device_enable(tz[i]);
		if (raw_eagain) {
			device_remove_file(&tz[i]->device, &raw_temp);
			if (device_create_file(&tz[i]->device, &raw_temp))
				pr_err("orin_zones: %s has no temp\n", zones[i]);
		}
	}
	return 0;
}
module_init(zones_init);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Virtual Orin: thermal zones");
